import type { ChangeLoggedModel } from '#src/tracking/logged-models.ts';
import {
  changeLoggedModel,
  createLoggedModel,
  deleteLoggedModel,
  findLoggedModels,
  readLoggedModel,
} from '#src/tracking/logged-models.ts';
import { filesBelow } from './artifact-routes.ts';
import { flag, limit, nextPage, objects, offsetOf, pairs, requiredText, text, texts } from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';
import { viewLoggedModel } from './views.ts';

const LARGEST_SEARCH = 50_000;
const idOf = ({ params }: Call): string => params.id ?? '';

async function change(call: Call, what: Omit<ChangeLoggedModel, 'id'>): Promise<Record<string, unknown>> {
  const model = await changeLoggedModel(call.services.tracking, call.caller, { id: idOf(call), ...what });
  return { model: viewLoggedModel(model) };
}

export const LOGGED_MODEL_ROUTES: readonly MlflowRoute[] = [
  ...api('POST', 'logged-models', 'model.create', async ({ services, caller, input }) => {
    const made = await createLoggedModel(services.tracking, caller, {
      experimentId: requiredText(input, 'experiment_id'),
      name: text(input, 'name'),
      modelType: text(input, 'model_type'),
      sourceRunId: text(input, 'source_run_id'),
      params: pairs(input, 'params'),
      tags: pairs(input, 'tags'),
    });
    return { model: viewLoggedModel(made) };
  }),
  ...api('POST', 'logged-models/search', 'model.search', async ({ services, caller, input }) => {
    const { models, next } = await findLoggedModels(services.tracking, caller, {
      experimentIds: texts(input, 'experiment_ids'),
      filter: text(input, 'filter'),
      orderBy: objects(input, 'order_by').map((one) => ({
        field: requiredText(one, 'field_name'),
        descending: one.ascending !== undefined && !flag(one, 'ascending'),
      })),
      offset: offsetOf(text(input, 'page_token')),
      limit: limit(input, 100, LARGEST_SEARCH),
    });
    return { models: models.map(viewLoggedModel), ...nextPage(next) };
  }),
  ...api('GET', 'logged-models/:id', 'model.read', async (call) => ({
    model: viewLoggedModel(await readLoggedModel(call.services.tracking, call.caller, idOf(call))),
  })),
  ...api('PATCH', 'logged-models/:id', 'model.update', (call) =>
    change(call, { status: requiredText(call.input, 'status') }),
  ),
  ...api('DELETE', 'logged-models/:id', 'model.delete', async (call) => {
    await deleteLoggedModel(call.services.tracking, call.caller, idOf(call));
    return {};
  }),
  ...api('PATCH', 'logged-models/:id/tags', 'model.update', (call) =>
    change(call, { tags: pairs(call.input, 'tags') }),
  ),
  ...api('DELETE', 'logged-models/:id/tags/:key', 'model.update', (call) =>
    change(call, { untag: call.params.key ?? '' }),
  ),
  ...api('POST', 'logged-models/:id/params', 'model.update', (call) =>
    change(call, { params: pairs(call.input, 'params') }),
  ),
  ...api('GET', 'logged-models/:id/artifacts/directories', 'model.read', async (call) => {
    const { model } = await readLoggedModel(call.services.tracking, call.caller, idOf(call));
    const path = text(call.input, 'artifact_directory_path');
    return { root_uri: model.artifactUri, files: await filesBelow(call, model.artifactUri, path) };
  }),
];
