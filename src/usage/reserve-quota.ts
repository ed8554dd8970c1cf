import { AppError } from '#kernel/errors.ts';
import { formatBytes } from '#kernel/quantities.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import { type Amounts, limitsOf, type QuotaDefaults, type QuotaScope, RESOURCES, type Resource } from './quota.ts';
import { deleteReservation, lockQuota, selectLimits, selectUsed, upsertReservation } from './quota-store.ts';

export type Reservation = { user: string; team: string; sandboxId: string; amounts: Amounts };

export type Quotas = {
  /** Takes amounts for a sandbox, within the admission's transaction. Throws `quota_exceeded` and takes nothing when it does not fit. */
  reserve(tx: Tx, asked: Reservation): Promise<void>;
  /** Gives back what a sandbox held; nothing happens the second time. */
  release(tx: Tx, sandboxId: string): Promise<void>;
  /** What a user holds now, by resource. */
  usageOf(reader: Reader, user: string): Promise<Amounts>;
};

/** Quotas of users and teams over the store. */
export function createQuotas(deps: { defaults: QuotaDefaults }): Quotas {
  const check = async (tx: Tx, scope: QuotaScope, name: string, asked: Amounts): Promise<void> => {
    await lockQuota(tx, scope, name);
    const limits = limitsOf(await selectLimits(tx, scope, name), deps.defaults[scope]);
    const used = await selectUsed(tx, scope, name);
    const over = RESOURCES.find(
      (resource) => asked[resource] > 0 && used[resource] + asked[resource] > limits[resource],
    );
    if (over !== undefined) throw exceeded({ scope, name, resource: over, used, asked, limits });
  };
  return {
    reserve: async (tx, asked) => {
      // A repeated admission of the same sandbox is counted once.
      await deleteReservation(tx, asked.sandboxId);
      await check(tx, 'team', asked.team, asked.amounts);
      await check(tx, 'user', asked.user, asked.amounts);
      await upsertReservation(tx, asked);
    },
    release: deleteReservation,
    usageOf: (reader, user) => selectUsed(reader, 'user', user),
  };
}

const NOUNS: Record<Resource, string> = {
  sandboxes: 'sandboxes',
  cpus: 'CPUs',
  memoryBytes: 'memory',
  diskBytes: 'disk',
  gpus: 'GPUs',
};

/** The flag of `fumehood quota set` that raises a limit. */
const FLAGS: Record<Resource, string> = {
  sandboxes: '--sandboxes',
  cpus: '--cpus',
  memoryBytes: '--memory',
  diskBytes: '--disk',
  gpus: '--gpus',
};

function exceeded(options: {
  scope: QuotaScope;
  name: string;
  resource: Resource;
  used: Amounts;
  asked: Amounts;
  limits: Amounts;
}): AppError {
  const { scope, name, resource, used, asked, limits } = options;
  const show = (value: number): string => (resource.endsWith('Bytes') ? formatBytes(value) : String(value));
  const [limit, held, wanted] = [limits[resource], used[resource], asked[resource]];
  return new AppError(
    'quota_exceeded',
    `The ${scope} "${name}" may hold ${NOUNS[resource]} up to ${show(limit)}; ${show(held)} are in use and ${show(wanted)} were asked for.`,
    {
      details: {
        resource,
        limit,
        used: held,
        asked: wanted,
        hint: `Delete a sandbox ("fumehood sandbox list"), or ask an operator for "fumehood quota set ${scope}:${name} ${FLAGS[resource]} …".`,
      },
    },
  );
}
