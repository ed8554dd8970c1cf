/** The whole suite, as a list of results: a script that breaks is a result that shows nothing, and never one that holds. */
import { AppError } from '#kernel/errors.ts';
import { type Arena, openArena } from './arena.ts';
import type { Family } from './attack.ts';
import { FAMILIES } from './attacks/families.ts';
import { describeMachine, describeSideChannels } from './machine.ts';
import type { Card } from './scorecard.ts';
import type { Result } from './verdict.ts';

type SuiteOptions = {
  runtime: string;
  /** Names of families; empty for all. */
  only: readonly string[];
  fumehoodVersion: string;
  nowMs: () => number;
  /** Ends it early, cleanly, with the results so far. */
  interrupted: AbortSignal;
  onFamily: (title: string) => (results: readonly Result[]) => void;
};

export async function runSuite(options: SuiteOptions): Promise<Omit<Card, 'format'>> {
  const families = FAMILIES.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const arena = await openArena({ runtime: options.runtime });
  try {
    const attacks: Result[] = [];
    for (const family of families) {
      const end = options.onFamily(family.title);
      const results: Result[] = [];
      for (const attack of family.attacks)
        if (!options.interrupted.aborted) results.push(await tryOne(arena, family.name, attack));
      end(results);
      attacks.push(...results);
    }
    const { runtime, fumehoodVersion, nowMs } = options;
    const driver = arena.world.driver.id;
    const machine = await describeMachine({ driver, runtime, fumehoodVersion, nowMs: nowMs() });
    return { machine, reportOnly: await describeSideChannels(arena), attacks };
  } finally {
    await closeClean(arena);
  }
}

async function tryOne(arena: Arena, family: string, attack: Family['attacks'][number]): Promise<Result> {
  try {
    return await arena.attack(family, attack);
  } catch (error) {
    const { name, attempts } = attack;
    const reason = `it broke: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`;
    const nothing = { outcome: 'refused', why: 'nothing' } as const;
    return { family, name, attempts, inside: nothing, outside: nothing, verdict: 'not shown', reason };
  }
}

async function closeClean(arena: Arena): Promise<void> {
  const left = await arena.close();
  if (left.length > 0)
    throw new AppError('integrity', `The suite left something on this host: ${left.join('; ')}.`, {
      details: { hint: 'Report this: a sandbox must leave nothing.' },
    });
}
