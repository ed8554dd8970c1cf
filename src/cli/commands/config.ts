import { AppError } from '#kernel/errors.ts';
import { closest } from '../closest.ts';
import type { Command, Context } from '../command.ts';

const key = { name: 'KEY', help: 'such as listen or sandbox.maxTtl' } as const;

async function load(context: Context) {
  const { loadConfig } = await import('#src/config/load-config.ts');
  return loadConfig({ home: context.home, env: context.env, cwd: process.cwd() });
}

async function entryOf(context: Context) {
  const { KEYS, KEY_NAMES, variableOf } = await import('#src/config/schema.ts');
  const config = await load(context);
  const wanted = context.arg('KEY');
  const name = KEY_NAMES.find((one) => one === wanted);
  if (name === undefined) {
    const near = closest(wanted, KEY_NAMES);
    throw new AppError('not_found', `There is no key "${wanted}".`, {
      details: { hint: near === undefined ? 'See "fumehood config list".' : `Did you mean "${near}"?` },
    });
  }
  const declared: { help: string; secret?: true } = KEYS[name];
  const shown = (value: unknown): unknown => (declared.secret && value !== undefined ? '(hidden)' : (value ?? null));
  return {
    name,
    candidates: config.candidates.get(name) ?? [],
    help: declared.help,
    variable: variableOf(name),
    shown,
  };
}

/** `fumehood config`. */
export const config: readonly Command[] = [
  {
    verb: 'list',
    summary: 'Every key with its value and where that comes from',
    example: 'fumehood config list',
    run: async (context) => {
      const { KEYS } = await import('#src/config/schema.ts');
      const { candidates } = await load(context);
      const items = [...candidates].map(([name, [winner]]) => {
        const declared: { help: string; secret?: true } = KEYS[name];
        const value = declared.secret && winner?.value !== undefined ? '(hidden)' : (winner?.value ?? null);
        return { key: name, value, origin: winner?.origin.where ?? 'default', help: declared.help };
      });
      context.out.list({ items, next: null }, [
        ['KEY', 'key'],
        ['VALUE', 'value'],
        ['FROM', 'origin'],
        ['MEANING', 'help'],
      ]);
      return undefined;
    },
  },
  {
    verb: 'get',
    summary: 'The value of a key',
    example: 'fumehood config get listen',
    args: [key],
    run: async (context) => {
      const { name, candidates, shown } = await entryOf(context);
      const value = shown(candidates[0]?.value);
      context.out.text(value === null ? '' : String(value), { key: name, value });
      return undefined;
    },
  },
  {
    verb: 'explain',
    summary: 'Which of the values that were given for a key wins, and why',
    example: 'fumehood config explain sandbox.maxTtl',
    args: [key],
    run: async (context) => {
      const { name, candidates, help, variable, shown } = await entryOf(context);
      const given = candidates.map(({ value, origin }, at) => ({
        value: shown(value),
        origin: origin.where,
        wins: at === 0,
      }));
      const lines = given.map((one) => `${one.wins ? '*' : ' '} ${String(one.value)}  from ${one.origin}\n`);
      const text = `${name}: ${help}\n${lines.join('')}set it with ${variable}, or as "${name}" in fumehood.yaml\n`;
      context.out.text(text, { key: name, ...given[0], candidates: given, variable });
      return undefined;
    },
  },
];
