/** What the caller's own builds of an environment are doing, as a stream: one crossing for the whole watch. */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Clock } from '#kernel/clock.ts';
import { type Route, route } from '#src/http/route.ts';
import { type BuildEvent, type BuildProgress, PHASES } from './build-progress.ts';

/** A build that says nothing for long is told to be alive, so that nobody between takes the connection for a dead one. */
const ALIVE_EVERY_MS = 30_000;
const LONGEST_WAIT_MS = 60_000;
/** Of what a slow reader has not taken yet; lines of programs beyond it are left out. */
const MOST_WAITING_BYTES = 1024 * 1024;

const Ref = z.object({ name: z.string().min(1).max(200) });
const Line = z.object({
  time: z.string(),
  build: z.string().describe('the request that builds; empty in lines about the watch'),
  kind: z.enum(['ready', 'phase', 'log', 'done', 'failed', 'alive', 'ended']),
  phase: z.enum(['', ...PHASES]),
  text: z.string().describe('a line of the resolver, the builder or the installer'),
});
type Line = z.infer<typeof Line>;

type Deps = { builds: BuildProgress; clock: Clock };

/**
 * `GET /api/v1/environments/:name/build`: what running builds have told, `ready`, then lines as they come, `ended` last: when no build is
 * left that runs, or when none begins within a minute. Watching changes nothing: a build goes on without anybody who looks.
 */
export function watchBuildRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/environments/:name/build',
    action: 'environment.read',
    resource: 'environment',
    summary: 'Follow your own builds of an environment, as JSON lines: the phases, and what the installer says',
    params: Ref,
    response: 'stream',
    line: Line,
    handle: async ({ params: { name }, identity, cross, raw: { response }, signal }) => {
      await cross({
        object: { kind: 'environment', id: name },
        ask: async () => [
          {
            action: 'environment.read',
            resource: 'environment',
            object: { type: 'environment', id: name, labels: [] },
          },
        ],
        act: async (_tx, crossing) => crossing.detail('use', 'watch'),
      });
      await serve(deps, { user: identity.user, name }, { response, signal });
      return undefined;
    },
  });
}

async function serve(
  { builds, clock }: Deps,
  at: { user: string; name: string },
  { response, signal }: { response: ServerResponse; signal: AbortSignal },
): Promise<void> {
  const over = Promise.withResolvers<void>();
  const write = (line: Omit<Line, 'time'>, timeMs = clock.nowMs()): void => {
    response.write(`${JSON.stringify({ time: new Date(timeMs).toISOString(), ...line })}\n`);
  };
  const about = (kind: Line['kind']): void => write({ build: '', kind, phase: '', text: '' });
  const tell = ({ timeMs, ...line }: BuildEvent): void => {
    if (line.kind !== 'log' || response.writableLength < MOST_WAITING_BYTES) write(line, timeMs);
  };
  const watch = builds.watch(at, (event) => {
    tell(event);
    clearTimeout(waiting);
    if ((event.kind === 'done' || event.kind === 'failed') && watch.running() === 0) over.resolve();
  });
  const alive = setInterval(() => about('alive'), ALIVE_EVERY_MS);
  const waiting = setTimeout(over.resolve, LONGEST_WAIT_MS);
  signal.addEventListener('abort', () => over.resolve(), { once: true });
  if (signal.aborted) over.resolve();
  try {
    response.writeHead(200, { 'content-type': 'application/jsonl' });
    watch.earlier.forEach(tell);
    if (watch.running() > 0) clearTimeout(waiting);
    about('ready');
    await over.promise;
    if (signal.aborted) return;
    about('ended');
    response.end();
  } finally {
    watch.stop();
    clearInterval(alive);
    clearTimeout(waiting);
  }
}
