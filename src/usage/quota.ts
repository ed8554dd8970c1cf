/** The noun: how much of each resource a user or a team may hold at a time. */
import { z } from 'zod';

export const RESOURCES = ['sandboxes', 'cpus', 'memoryBytes', 'diskBytes', 'gpus'] as const;
export type Resource = (typeof RESOURCES)[number];

/** Amounts by resource; sizes in bytes, cpus in cores. */
export type Amounts = Record<Resource, number>;

export const QuotaScope = z.enum(['user', 'team']);
export type QuotaScope = z.infer<typeof QuotaScope>;

/** Limits that were set; what is left out follows the defaults. */
export const Limits = z.strictObject({
  sandboxes: z.number().int().min(0).optional(),
  cpus: z.number().min(0).optional(),
  memoryBytes: z.number().int().min(0).optional(),
  diskBytes: z.number().int().min(0).optional(),
  gpus: z.number().int().min(0).optional(),
});
export type Limits = z.infer<typeof Limits>;

export type QuotaDefaults = Record<QuotaScope, Amounts>;

const GIB = 2 ** 30;

/** What holds where nothing was set: a person's share of one machine, and a team of some five. */
export const QUOTA_DEFAULTS: QuotaDefaults = {
  user: { sandboxes: 10, cpus: 8, memoryBytes: 32 * GIB, diskBytes: 100 * GIB, gpus: 4 },
  team: { sandboxes: 50, cpus: 40, memoryBytes: 160 * GIB, diskBytes: 500 * GIB, gpus: 16 },
};

const AmountsView = z.object({
  sandboxes: z.number(),
  cpus: z.number(),
  memoryBytes: z.number(),
  diskBytes: z.number(),
  gpus: z.number(),
});

export const QuotaView = z.object({
  scope: QuotaScope,
  name: z.string(),
  limits: AmountsView,
  used: AmountsView,
});
export type QuotaView = z.infer<typeof QuotaView>;

/** The limits that hold: what was set over the defaults. */
export const limitsOf = (set: Limits | undefined, defaults: Amounts): Amounts => ({
  sandboxes: set?.sandboxes ?? defaults.sandboxes,
  cpus: set?.cpus ?? defaults.cpus,
  memoryBytes: set?.memoryBytes ?? defaults.memoryBytes,
  diskBytes: set?.diskBytes ?? defaults.diskBytes,
  gpus: set?.gpus ?? defaults.gpus,
});
