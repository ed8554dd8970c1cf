import { AppError } from '#kernel/errors.ts';
import {
  changeVersion,
  changeVersionTag,
  createVersion,
  findVersions,
  readVersion,
  removeVersion,
} from '#src/models/model-versions.ts';
import { flag, type Input, limit, nextPage, offsetOf, pairs, requiredText, text, texts } from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';
import { viewVersion } from './views.ts';

const LARGEST_SEARCH = 200_000;

/** The number of a version, which is a text on the wire. */
export function versionNumber(input: Input): number {
  const given = requiredText(input, 'version');
  if (!/^[1-9]\d{0,14}$/.test(given)) throw new AppError('invalid', 'Model version must be an integer');
  return Number(given);
}

const which = ({ input }: Call) => ({ name: requiredText(input, 'name'), version: versionNumber(input) });

export const VERSION_ROUTES: readonly MlflowRoute[] = [
  ...api('POST', 'model-versions/create', 'model.create', async ({ services, caller, input }) => {
    const made = await createVersion(services.models, caller, {
      name: requiredText(input, 'name'),
      source: requiredText(input, 'source'),
      runId: text(input, 'run_id'),
      modelId: text(input, 'model_id'),
      runLink: text(input, 'run_link'),
      description: text(input, 'description'),
      tags: pairs(input, 'tags'),
    });
    return { model_version: viewVersion(made) };
  }),
  ...api('GET', 'model-versions/get', 'model.read', async (call) => ({
    model_version: viewVersion(await readVersion(call.services.models, call.caller, which(call))),
  })),
  ...api('GET', 'model-versions/get-download-uri', 'model.read', async (call) => {
    const { version } = await readVersion(call.services.models, call.caller, which(call));
    return { artifact_uri: version.storageLocation };
  }),
  ...api('GET', 'model-versions/search', 'model.search', async ({ services, caller, input }) => {
    const { versions, next } = await findVersions(services.models, caller, {
      filter: text(input, 'filter'),
      orderBy: texts(input, 'order_by'),
      offset: offsetOf(text(input, 'page_token')),
      limit: limit(input, 10_000, LARGEST_SEARCH),
    });
    return { model_versions: versions.map(viewVersion), ...nextPage(next) };
  }),
  ...api('PATCH', 'model-versions/update', 'model.update', async (call) => {
    const description = text(call.input, 'description');
    return {
      model_version: viewVersion(
        await changeVersion(call.services.models, call.caller, { ...which(call), description }),
      ),
    };
  }),
  ...api('POST', 'model-versions/transition-stage', 'model.update', async (call) => {
    const change = {
      ...which(call),
      stage: requiredText(call.input, 'stage'),
      archiveExisting: flag(call.input, 'archive_existing_versions'),
    };
    return { model_version: viewVersion(await changeVersion(call.services.models, call.caller, change)) };
  }),
  ...api('DELETE', 'model-versions/delete', 'model.delete', async (call) => {
    await removeVersion(call.services.models, call.caller, which(call));
    return {};
  }),
  ...api('POST', 'model-versions/set-tag', 'model.write', async (call) => {
    const set = { key: requiredText(call.input, 'key'), value: text(call.input, 'value') };
    await changeVersionTag(call.services.models, call.caller, { ...which(call), set });
    return {};
  }),
  ...api('DELETE', 'model-versions/delete-tag', 'model.write', async (call) => {
    await changeVersionTag(call.services.models, call.caller, {
      ...which(call),
      remove: requiredText(call.input, 'key'),
    });
    return {};
  }),
];
