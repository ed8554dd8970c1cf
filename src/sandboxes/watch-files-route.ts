/** What changes below a folder of a sandbox, as a stream: one crossing for the whole watch. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Route, type RouteRequest, route } from '#src/http/route.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { FilePath, Ref } from './sandbox-paths.ts';
import { openSession } from './use-sandbox.ts';

/** A quiet watch says so often enough that nobody between takes the connection for a dead one. */
const ALIVE_EVERY_MS = 30_000;
const MOST_WATCHES = 16;
/** Of what a slow reader has not taken yet. */
const MOST_WAITING_BYTES = 1024 * 1024;

const Query = FilePath.extend({
  forMs: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400_000)
    .optional()
    .describe('ends after so long; else with the folder or the sandbox'),
});
const KINDS = ['ready', 'created', 'modified', 'deleted', 'missed', 'alive', 'ended'] as const;
const Line = z.object({ time: z.string(), kind: z.enum(KINDS), path: z.string() });
type Kind = (typeof KINDS)[number];

/**
 * `GET /api/v1/sandboxes/:id/files/watch`: first `ready`, then changes; `missed` when more happened below the path than could be told,
 * `alive` when all is quiet, `ended` last. Watching is no work: it does not keep a sandbox from being idle.
 */
export function watchFilesRoute(deps: SandboxDeps): Route {
  return route<z.infer<typeof Ref>, z.infer<typeof Query>>({
    method: 'GET',
    path: '/api/v1/sandboxes/:id/files/watch',
    action: 'sandbox.files',
    resource: 'sandbox',
    summary: 'Watch a folder of a sandbox with all folders below, as JSON lines, one a change',
    params: Ref,
    query: Query as never,
    response: 'stream',
    line: Line,
    handle: async (request) => {
      const { params, identity, requestId } = request;
      const use = { identity, requestId, ref: params.id };
      const { live, session } = await openSession(deps, use, 'sandbox.files', async (_tx, crossing) => {
        crossing.detail('use', 'watch');
        crossing.detail('path', request.query.path);
      });
      if (live.watches >= MOST_WATCHES)
        throw new AppError('too_many_requests', `${MOST_WATCHES} folders of this sandbox are watched already.`, {
          details: { hint: 'End a watch first, or watch a folder above: what is below is watched too.' },
        });
      await watched(live, () => serve(deps, request, session.files.watch));
      return undefined;
    },
  });
}

async function watched(live: LiveSandbox, work: () => Promise<void>): Promise<void> {
  live.watches += 1;
  try {
    await work();
  } finally {
    live.watches -= 1;
  }
}

type Watch = Awaited<ReturnType<SandboxDeps['driver']['session']>>['files']['watch'];

/** Writes lines until the client goes, the time is over, or the watch ends by itself. */
async function serve(
  deps: SandboxDeps,
  { query, raw: { response }, signal }: RouteRequest<unknown, z.infer<typeof Query>, undefined>,
  watch: Watch,
): Promise<void> {
  const over = Promise.withResolvers<Kind | undefined>();
  const early: (() => void)[] = [];
  let isReady = false;
  let hasMissed = false;
  const write = (kind: Kind, path: string): void => {
    const time = new Date(deps.clock.nowMs()).toISOString();
    response.write(`${JSON.stringify({ time, kind, path })}\n`);
  };
  const tell = (kind: Kind, path: string): void => {
    if (!isReady) early.push(() => tell(kind, path));
    else if (response.writableLength > MOST_WAITING_BYTES) hasMissed = true;
    else {
      if (hasMissed) write('missed', query.path);
      hasMissed = false;
      write(kind, path);
    }
  };
  const stop = await watch(query.path, {
    onChange: ({ kind, path }) => tell(kind, path),
    onEnd: () => over.resolve('ended'),
  });
  response.writeHead(200, { 'content-type': 'application/jsonl' });
  isReady = true;
  tell('ready', query.path);
  for (const one of early) one();
  const alive = setInterval(() => tell('alive', query.path), ALIVE_EVERY_MS);
  const timer = query.forMs === undefined ? undefined : setTimeout(() => over.resolve('ended'), query.forMs);
  signal.addEventListener('abort', () => over.resolve(undefined), { once: true });
  if (signal.aborted) over.resolve(undefined);
  try {
    if ((await over.promise) === undefined) return;
    if (hasMissed) write('missed', query.path);
    write('ended', query.path);
    response.end();
  } finally {
    stop();
    clearInterval(alive);
    clearTimeout(timer);
  }
}
