/** What sandboxes use, as a stream of looks: one crossing for a whole watch, so that watching does not fill the log. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import { type Route, type RouteRequest, route } from '#src/http/route.ts';
import { findSandbox, questionAbout } from './find-sandbox.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import type { SandboxDeps } from './sandbox-deps.ts';

const Query = z.object({
  mine: z.stringbool().default(true).describe("only your own; false asks for everybody's"),
  sandbox: z
    .union([z.string(), z.array(z.string()).max(100)])
    .default([])
    .transform((given) => [given].flat())
    .describe('only these: ids, or names of your own'),
  everyMs: z.coerce.number().int().min(500).max(60_000).default(2000),
  samples: z.coerce
    .number()
    .int()
    .min(1)
    .max(300)
    .default(1)
    .describe('how many looks; the answer ends after the last'),
});
type Query = z.infer<typeof Query>;

const Sample = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  cpus: z.number(),
  cpuSeconds: z.number(),
  memoryBytes: z.number(),
  memoryPeakBytes: z.number(),
  memoryLimitBytes: z.number(),
  pids: z.number(),
  diskBytes: z.number(),
  diskLimitBytes: z.number(),
  oomKills: z.number(),
  networkInBytes: z.number(),
  networkOutBytes: z.number(),
  runningExecs: z.number(),
  idleMs: z.number(),
  expiresAt: z.string(),
});
type Sample = z.infer<typeof Sample>;

/** `GET /api/v1/sandbox-stats`: JSON lines, each `{time, items}` with one item a running sandbox. */
export function sandboxStatsRoutes(deps: SandboxDeps): Route[] {
  return [
    route<Record<string, never>, Query>({
      method: 'GET',
      path: '/api/v1/sandbox-stats',
      action: 'sandbox.list',
      resource: 'sandbox',
      summary: 'What running sandboxes use, as JSON lines, one a look',
      query: Query as never,
      response: 'stream',
      line: z.object({ time: z.string(), items: z.array(Sample) }),
      handle: async (request) => {
        const wanted = await admit(deps, request);
        const { query, raw, signal } = request;
        raw.response.writeHead(200, { 'content-type': 'application/jsonl' });
        for (let look = 1; look <= query.samples && !signal.aborted; look += 1) {
          const items: Sample[] = [];
          // Each reads some files: one after the other, with turns for all else between.
          for (const live of deps.live.all().filter(wanted)) {
            await yieldLongTurn();
            const item = await sample(deps, live);
            if (item !== undefined) items.push(item);
          }
          const line = { time: new Date(deps.clock.nowMs()).toISOString(), items };
          raw.response.write(`${JSON.stringify(line)}\n`);
          if (look < query.samples) await sleep(query.everyMs, undefined, { signal }).catch(() => undefined);
        }
        raw.response.end();
        return undefined;
      },
    }),
  ];
}

/** Asks policy once and tells which sandboxes may be looked at. */
async function admit(
  deps: SandboxDeps,
  { query, identity, cross }: RouteRequest<Record<string, never>, Query, undefined>,
): Promise<(live: LiveSandbox) => boolean> {
  if (query.sandbox.length > 0) {
    const ids = new Set<string>();
    await cross({
      action: 'sandbox.read',
      object: { kind: 'sandbox', id: query.sandbox.join(',') },
      ask: async (reader) => {
        const found = await Promise.all(query.sandbox.map((ref) => findSandbox(reader, identity, ref)));
        for (const { id } of found) ids.add(id);
        return Promise.all(found.map((one) => questionAbout(deps, reader, 'sandbox.read', one)));
      },
      act: async () => undefined,
    });
    return (live) => ids.has(live.sandbox.id);
  }
  const id = query.mine ? identity.user : '*';
  const owner = query.mine ? { owner: identity.user } : {};
  await cross({
    object: { kind: 'sandbox', id },
    ask: async () => [
      { action: 'sandbox.list', resource: 'sandbox', object: { type: 'sandbox', id, ...owner, labels: [] } },
    ],
    act: async () => undefined,
  });
  return (live) => !query.mine || live.sandbox.owner === identity.user;
}

/** One look; nothing for a sandbox that ends at this moment. */
async function sample(deps: SandboxDeps, live: LiveSandbox): Promise<Sample | undefined> {
  const { sandbox, handle } = live;
  const stats = await deps.driver.stats(handle).catch(() => undefined);
  if (stats === undefined) return undefined;
  const { inBytes, outBytes } = deps.trafficOf(sandbox.id);
  return {
    id: sandbox.id,
    name: sandbox.name,
    owner: sandbox.owner,
    cpus: sandbox.spec.cpus,
    ...stats,
    memoryLimitBytes: sandbox.spec.memoryBytes,
    networkInBytes: inBytes,
    networkOutBytes: outBytes,
    runningExecs: live.execs.size,
    idleMs: Math.max(0, deps.clock.nowMs() - live.lastActiveMs),
    expiresAt: new Date(sandbox.expiresMs).toISOString(),
  };
}
