import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '#kernel/errors.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { ShownExperiment } from '#src/tracking/show-experiment.ts';
import type { ShownRun } from '#src/tracking/show-run.ts';
import { experimentPage } from './experiment-page.ts';
import type { Visitor } from './port-site.ts';
import { type RunFile, runPage } from './run-page.ts';
import { sendPage } from './site-page.ts';

const PATH = /^\/(?:experiments\/([0-9]{1,20})|([0-9a-zA-Z]{1,64}))$/;

export type RunsSiteDeps = {
  /** Reads a run in one crossing of its own. */
  show: (by: { identity: Identity; requestId: string }, runId: string) => Promise<ShownRun>;
  /** Reads an experiment with its runs. */
  experiment: (by: { identity: Identity; requestId: string }, experimentId: string) => Promise<ShownExperiment>;
  /** The files of a run; undefined when this reader may not see their names. */
  files: (by: { identity: Identity; requestId: string }, artifactUri: string) => Promise<RunFile[] | undefined>;
};

/** Serves `/<run id>` and `/experiments/<experiment id>`: each look is a decision about that, and an entry. */
export const createRunsSite =
  (deps: RunsSiteDeps) =>
  async (
    visitor: Visitor,
    { request, response }: { request: IncomingMessage; response: ServerResponse },
    requestId: string,
  ): Promise<void> => {
    const [, experimentId, runId] = PATH.exec(request.url ?? '') ?? [];
    const by = { identity: visitor.identity, requestId };
    if (request.method === 'GET' && experimentId !== undefined)
      return sendPage(response, 200, experimentPage(await deps.experiment(by, experimentId)));
    if (runId === undefined || request.method !== 'GET')
      throw new AppError('not_found', 'There is no such page here.', {
        details: { hint: 'Open a run with "fumehood run open ID".' },
      });
    const shown = await deps.show(by, runId);
    sendPage(response, 200, await runPage(shown, await deps.files(by, shown.run.artifactUri)));
  };
