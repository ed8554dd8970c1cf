/** Which sandboxes the driver makes ahead: the usual one, and those with an environment that was asked for lately. */
import { canonicalJson } from '#kernel/canonical-json.ts';
import { type Driver, type StartOptions, type Template, templateOf } from '#src/drivers/driver.ts';

export type KeepReady = {
  /** A sandbox was asked for; others like it may follow. */
  asked(options: StartOptions): void;
  /** Lets go of the kinds that nobody has asked for in a while. */
  look(): void;
  /** Fills all pools; resolves when they are full, or cannot be filled for now. */
  fill(): Promise<void>;
};

export type ReadyLimits = {
  networks: number;
  workspaces: number;
  /** Of one kind, and of all kinds together. */
  each: number;
  total: number;
  /** How long a kind is kept ready after it was last asked for. */
  forgetMs: number;
};

export function createKeepReady(
  deps: { driver: Pick<Driver, 'prepare'>; nowMs: () => number; onError: (error: unknown) => void },
  usual: Template,
  limits: ReadyLimits,
): KeepReady {
  const lately = new Map<string, { template: Template; atMs: number }>();
  let told = '';

  /** The usual kind first, then by when they were last asked for, until the total is reached. */
  const plan = (): { count: number; template: Template }[] => {
    let left = limits.total;
    const recent = [...lately.values()].sort((one, other) => other.atMs - one.atMs);
    return [usual, ...recent.map((one) => one.template)].flatMap((template, at) => {
      const count = Math.min(limits.each, left);
      left -= count;
      return count > 0 || at === 0 ? [{ count, template }] : [];
    });
  };
  const fill = async (): Promise<void> => {
    const warm = plan();
    told = canonicalJson(warm);
    await deps.driver.prepare({ networks: limits.networks, workspaces: limits.workspaces, warm });
  };
  const follow = (): void => {
    if (canonicalJson(plan()) !== told) fill().catch(deps.onError);
  };
  return {
    asked: (options) => {
      const template = templateOf(options);
      if (limits.each === 0 || template.environmentDir === undefined) return;
      if (template.mounts.length > 0 || template.image !== undefined || template.gpus > 0) return;
      lately.set(canonicalJson(template), { template, atMs: deps.nowMs() });
      follow();
    },
    look: () => {
      for (const [key, { atMs }] of lately) if (deps.nowMs() - atMs > limits.forgetMs) lately.delete(key);
      follow();
    },
    fill,
  };
}
