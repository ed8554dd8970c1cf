import { z } from 'zod';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import { parseByteSize } from '#kernel/quantities.ts';
import type { Reader } from '#kernel/sql.ts';
import { question } from '#src/gateway/crossing.ts';
import { type ApiCross, type Route, route } from '#src/http/route.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import { Limits, limitsOf, type QuotaDefaults, QuotaScope, QuotaView } from './quota.ts';
import { selectLimits, selectUsed, upsertLimits } from './quota-store.ts';

export type QuotaRouteDeps = {
  clock: Clock;
  defaults: QuotaDefaults;
  /** Whether there is such a user. */
  userExists(reader: Reader, name: string): Promise<boolean>;
};

const Ref = z.object({
  target: z.string().regex(/^(user|team):[A-Za-z0-9._-]{1,100}$/, 'user:NAME or team:NAME'),
});
type Target = { scope: QuotaScope; name: string };

const targetOf = (text: string): Target => {
  const colon = text.indexOf(':');
  return { scope: QuotaScope.parse(text.slice(0, colon)), name: text.slice(colon + 1) };
};

const size = z.union([z.string().max(20), z.number().int().min(0)]).optional();
const QuotaChange = Limits.omit({ memoryBytes: true, diskBytes: true }).extend({
  memory: size.describe('bytes, or as 8g'),
  disk: size.describe('bytes, or as 20g'),
});
type QuotaChange = z.infer<typeof QuotaChange>;

const bytesOf = (value: string | number): number => (typeof value === 'number' ? value : parseByteSize(value));

function limitsFrom({ memory, disk, ...rest }: QuotaChange): Limits {
  return {
    ...rest,
    ...(memory === undefined ? {} : { memoryBytes: bytesOf(memory) }),
    ...(disk === undefined ? {} : { diskBytes: bytesOf(disk) }),
  };
}

const quotaObject = ({ scope, name }: Target): PolicyObject => ({
  type: 'quota',
  id: `${scope}:${name}`,
  name,
  ...(scope === 'user' ? { owner: name } : {}),
  labels: [],
});

/** The REST routes about quotas of users and teams. */
export function quotaRoutes(deps: QuotaRouteDeps): Route[] {
  const view = async (reader: Reader, { scope, name }: Target): Promise<QuotaView> => ({
    scope,
    name,
    limits: limitsOf(await selectLimits(reader, scope, name), deps.defaults[scope]),
    used: await selectUsed(reader, scope, name),
  });
  const read = (cross: ApiCross, target: Target): Promise<QuotaView> =>
    cross({
      object: { kind: 'quota', id: target.name },
      ask: async () => [question('quota.read', 'quota', quotaObject(target))],
      act: (tx) => view(tx, target),
    });
  const base = { action: 'quota.read', resource: 'quota', method: 'GET', response: QuotaView } as const;
  return [
    route({
      ...base,
      path: '/api/v1/quotas',
      summary: 'Your own limits and what you hold of them',
      handle: ({ identity, cross }) => read(cross, { scope: 'user', name: identity.user }),
    }),
    route({
      ...base,
      path: '/api/v1/quotas/:target',
      summary: 'Limits of a user or a team, and what is in use',
      params: Ref,
      handle: ({ params, cross }) => read(cross, targetOf(params.target)),
    }),
    setRoute(deps, view),
  ];
}

const setRoute = (deps: QuotaRouteDeps, view: (reader: Reader, target: Target) => Promise<QuotaView>): Route =>
  route({
    method: 'PUT',
    path: '/api/v1/quotas/:target',
    action: 'quota.set',
    resource: 'quota',
    summary: 'Set limits; those that are left out stay as they are',
    params: Ref,
    body: QuotaChange,
    response: QuotaView,
    handle: ({ params, body, identity, cross }) => {
      const target = targetOf(params.target);
      const changed = limitsFrom(body);
      return cross({
        object: { kind: 'quota', id: target.name },
        ask: async () => [question('quota.set', 'quota', quotaObject(target))],
        act: async (tx, { nowMs, detail }) => {
          if (target.scope === 'user' && !(await deps.userExists(tx, target.name))) {
            throw new AppError('not_found', `There is no user "${target.name}".`, {
              details: { hint: 'See "fumehood user list".' },
            });
          }
          const limits = { ...(await selectLimits(tx, target.scope, target.name)), ...changed };
          await upsertLimits(tx, { ...target, limits, by: identity.user, atMs: nowMs });
          for (const [resource, limit] of Object.entries(changed)) if (limit !== undefined) detail(resource, limit);
          return view(tx, target);
        },
      });
    },
  });
