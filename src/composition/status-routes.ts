import { z } from 'zod';
import type { Driver } from '#src/drivers/driver.ts';
import { type Route, route } from '#src/http/route.ts';
import type { LiveSandboxes } from '#src/sandboxes/live-sandboxes.ts';
import { countSandboxesByState } from '#src/sandboxes/sandbox-store.ts';
import type { Core } from './core.ts';

const ENDS_SOON_MS = 10 * 60_000;

const Status = z.object({
  pid: z.number(),
  url: z.string(),
  version: z.string(),
  home: z.string(),
  uptimeSeconds: z.number(),
  sandboxes: z.object({ running: z.number(), starting: z.number(), stopped: z.number(), failed: z.number() }),
  endingSoon: z
    .array(z.object({ id: z.string(), name: z.string(), expiresAt: z.string() }))
    .describe('your own sandboxes that end within ten minutes'),
  doors: z.record(z.string(), z.string()),
  runPages: z.string().nullable().describe('below which the pages of runs are; null where none are served'),
  driver: z.object({ id: z.string(), usable: z.boolean(), runtimes: z.array(z.string()) }),
  database: z.string(),
  auditEntries: z.number(),
  memoryBytes: z.number(),
});

type Deps = {
  core: Core;
  live: LiveSandboxes;
  driver: Driver;
  places: { url: string; doors: Record<string, string> };
  runPage: (runId: string) => string | null;
  version: string;
};

/** `GET /api/v1/status`: what runs, where, and how much of it. */
export function statusRoutes(deps: Deps): Route[] {
  const { core, live, driver, places, runPage, version } = deps;
  return [
    route({
      method: 'GET',
      path: '/api/v1/status',
      action: 'status.read',
      resource: 'sandbox',
      summary: 'The control plane and what it runs',
      response: Status,
      handle: async ({ cross, identity }) => {
        const counts = await cross({
          object: { kind: 'status', id: 'control-plane' },
          ask: async () => [
            { action: 'status.read', resource: 'sandbox', object: { type: 'status', id: 'control-plane', labels: [] } },
          ],
          act: (tx) => countSandboxesByState(tx),
        });
        const { usable, runtimes } = await driver.probe();
        const count = (state: string): number => counts[state] ?? 0;
        return {
          pid: process.pid,
          url: places.url,
          version,
          home: core.home,
          uptimeSeconds: Math.round(process.uptime()),
          sandboxes: {
            running: count('running'),
            starting: count('starting'),
            stopped: count('stopped'),
            failed: count('failed'),
          },
          endingSoon: live
            .all()
            .map((one) => one.sandbox)
            .filter((one) => one.owner === identity.user && one.expiresMs - core.clock.nowMs() <= ENDS_SOON_MS)
            .map(({ id, name, expiresMs }) => ({ id, name, expiresAt: new Date(expiresMs).toISOString() })),
          doors: places.doors,
          runPages: runPage(''),
          driver: { id: driver.id, usable, runtimes },
          database: core.database.engine,
          auditEntries: core.auditLog.size(),
          memoryBytes: process.memoryUsage.rss(),
        };
      },
    }),
  ];
}
