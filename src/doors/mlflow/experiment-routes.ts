import {
  createExperiment,
  findExperiments,
  readExperiment,
  removeExperimentTag,
  renameExperiment,
  setExperimentLifecycle,
  setExperimentTag,
} from '#src/tracking/experiments.ts';
import { limit, nextPage, offsetOf, pairs, requiredText, text, texts } from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';
import { lifecyclesOf } from './view-type.ts';
import { viewExperiment } from './views.ts';

const LARGEST_SEARCH = 50_000;

async function search({ services, caller, input }: Call): Promise<Record<string, unknown>> {
  const { experiments, next } = await findExperiments(services.tracking, caller, {
    filter: text(input, 'filter'),
    orderBy: texts(input, 'order_by'),
    lifecycles: lifecyclesOf(input, 'view_type'),
    offset: offsetOf(text(input, 'page_token')),
    limit: limit(input, 1000, LARGEST_SEARCH),
  });
  return { experiments: experiments.map(viewExperiment), ...nextPage(next) };
}

const idOf = ({ input }: Call): string => requiredText(input, 'experiment_id');

export const EXPERIMENT_ROUTES: readonly MlflowRoute[] = [
  ...api('POST', 'experiments/create', 'experiment.create', async ({ services, caller, input }) => {
    const made = await createExperiment(services.tracking, caller, {
      name: requiredText(input, 'name'),
      artifactLocation: text(input, 'artifact_location'),
      tags: pairs(input, 'tags'),
    });
    return { experiment_id: made.id };
  }),
  ...api('GET', 'experiments/get', 'experiment.read', async (call) => ({
    experiment: viewExperiment(await readExperiment(call.services.tracking, call.caller, { id: idOf(call) })),
  })),
  ...api('GET', 'experiments/get-by-name', 'experiment.read', async ({ services, caller, input }) => {
    const name = requiredText(input, 'experiment_name');
    return { experiment: viewExperiment(await readExperiment(services.tracking, caller, { name })) };
  }),
  ...api('POST', 'experiments/search', 'experiment.search', search),
  ...api('GET', 'experiments/search', 'experiment.search', search),
  ...api('POST', 'experiments/update', 'experiment.update', async (call) => {
    const name = text(call.input, 'new_name');
    if (name !== '') await renameExperiment(call.services.tracking, call.caller, { id: idOf(call), name });
    return {};
  }),
  ...api('POST', 'experiments/delete', 'experiment.delete', async (call) => {
    await setExperimentLifecycle(call.services.tracking, call.caller, { id: idOf(call), lifecycle: 'deleted' });
    return {};
  }),
  ...api('POST', 'experiments/restore', 'experiment.restore', async (call) => {
    await setExperimentLifecycle(call.services.tracking, call.caller, { id: idOf(call), lifecycle: 'active' });
    return {};
  }),
  ...api('POST', 'experiments/set-experiment-tag', 'experiment.write', async (call) => {
    const tag = { key: requiredText(call.input, 'key'), value: text(call.input, 'value') };
    await setExperimentTag(call.services.tracking, call.caller, { id: idOf(call), tag });
    return {};
  }),
  ...api('POST', 'experiments/delete-experiment-tag', 'experiment.write', async (call) => {
    const key = requiredText(call.input, 'key');
    await removeExperimentTag(call.services.tracking, call.caller, { id: idOf(call), key });
    return {};
  }),
];
