import { readVersion } from '#src/models/model-versions.ts';
import {
  changeModel,
  changeModelTag,
  createModel,
  findModels,
  readModel,
  removeAlias,
  removeModel,
  setAlias,
} from '#src/models/registered-models.ts';
import { limit, nextPage, offsetOf, pairs, requiredText, text, texts } from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';
import { versionNumber } from './version-routes.ts';
import { latestOf, viewModel, viewVersion } from './views.ts';

const LARGEST_SEARCH = 1000;
const nameOf = ({ input }: Call): string => requiredText(input, 'name');

async function latest(call: Call): Promise<Record<string, unknown>> {
  const { versions, extras } = await readModel(call.services.models, call.caller, nameOf(call));
  const stages = texts(call.input, 'stages').map((stage) => stage.toLowerCase());
  const fits = latestOf(versions).filter(({ stage }) => stages.length === 0 || stages.includes(stage.toLowerCase()));
  return { model_versions: fits.map((version) => viewVersion({ version, extras })) };
}

export const MODEL_ROUTES: readonly MlflowRoute[] = [
  ...api('POST', 'registered-models/create', 'model.create', async (call) => {
    const { services, caller, input } = call;
    const description = text(input, 'description');
    const made = await createModel(services.models, caller, {
      name: nameOf(call),
      description,
      tags: pairs(input, 'tags'),
    });
    return { registered_model: viewModel(made) };
  }),
  ...api('GET', 'registered-models/get', 'model.read', async (call) => ({
    registered_model: viewModel(await readModel(call.services.models, call.caller, nameOf(call))),
  })),
  ...api('GET', 'registered-models/search', 'model.search', async ({ services, caller, input }) => {
    const { models, next } = await findModels(services.models, caller, {
      filter: text(input, 'filter'),
      orderBy: texts(input, 'order_by'),
      offset: offsetOf(text(input, 'page_token')),
      limit: limit(input, 100, LARGEST_SEARCH),
    });
    return { registered_models: models.map(viewModel), ...nextPage(next) };
  }),
  ...api('POST', 'registered-models/rename', 'model.update', async (call) => {
    const newName = requiredText(call.input, 'new_name');
    return {
      registered_model: viewModel(
        await changeModel(call.services.models, call.caller, { name: nameOf(call), newName }),
      ),
    };
  }),
  ...api('PATCH', 'registered-models/update', 'model.update', async (call) => {
    const description = text(call.input, 'description');
    return {
      registered_model: viewModel(
        await changeModel(call.services.models, call.caller, { name: nameOf(call), description }),
      ),
    };
  }),
  ...api('DELETE', 'registered-models/delete', 'model.delete', async (call) => {
    await removeModel(call.services.models, call.caller, nameOf(call));
    return {};
  }),
  ...api('POST', 'registered-models/get-latest-versions', 'model.read', latest),
  ...api('GET', 'registered-models/get-latest-versions', 'model.read', latest),
  ...api('POST', 'registered-models/set-tag', 'model.write', async (call) => {
    const set = { key: requiredText(call.input, 'key'), value: text(call.input, 'value') };
    await changeModelTag(call.services.models, call.caller, { name: nameOf(call), set });
    return {};
  }),
  ...api('DELETE', 'registered-models/delete-tag', 'model.write', async (call) => {
    await changeModelTag(call.services.models, call.caller, {
      name: nameOf(call),
      remove: requiredText(call.input, 'key'),
    });
    return {};
  }),
  ...api('POST', 'registered-models/alias', 'model.write', async (call) => {
    const alias = requiredText(call.input, 'alias');
    await setAlias(call.services.models, call.caller, {
      name: nameOf(call),
      alias,
      version: versionNumber(call.input),
    });
    return {};
  }),
  ...api('DELETE', 'registered-models/alias', 'model.write', async (call) => {
    await removeAlias(call.services.models, call.caller, {
      name: nameOf(call),
      alias: requiredText(call.input, 'alias'),
    });
    return {};
  }),
  ...api('GET', 'registered-models/alias', 'model.read', async (call) => {
    const alias = requiredText(call.input, 'alias');
    return {
      model_version: viewVersion(await readVersion(call.services.models, call.caller, { name: nameOf(call), alias })),
    };
  }),
];
