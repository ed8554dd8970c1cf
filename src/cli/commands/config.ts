import { resolve } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { closest } from '../closest.ts';
import type { Command, Context, Flag } from '../command.ts';

const key = { name: 'KEY', help: 'such as listen or sandbox.maxTtl' } as const;
const file: Flag = { name: 'file', value: 'FILE', help: "which file (else the user's own)" };

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
  const shown = (value: unknown): unknown => shownValue(declared, value);
  return {
    name,
    secret: declared.secret === true,
    said: await sayer(),
    candidates: config.candidates.get(name) ?? [],
    help: declared.help,
    variable: variableOf(name),
    shown,
  };
}

const HIDDEN = '(hidden)';

/** A value as it may be seen: not that of a secret key, nor the name and password in an address. */
function shownValue(declared: { secret?: true }, value: unknown): unknown {
  if (declared.secret && value !== undefined) return HIDDEN;
  return typeof value === 'string'
    ? value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${HIDDEN}@`)
    : (value ?? null);
}

type Say = (name: string, value: unknown) => string;

/** Sizes and times as people write them, to the byte and the millisecond; or as numbers. */
async function sayer({ asNumbers = false } = {}): Promise<Say> {
  const { KEY_NAMES, quantityOf } = await import('#src/config/schema.ts');
  const { exactBytes, exactSpan } = await import('#kernel/quantities.ts');
  return (name, value) => {
    const key = KEY_NAMES.find((one) => one === name);
    const quantity = key === undefined || asNumbers ? undefined : quantityOf(key);
    if (typeof value === 'number' && quantity === 'size') return exactBytes(value);
    if (typeof value === 'number' && quantity === 'time') return exactSpan(value);
    return Array.isArray(value) ? value.join(',') : String(value ?? '');
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
      const said = await sayer({ asNumbers: context.out.plain });
      const items = [...candidates].map(([name, [winner]]) => {
        const declared: { help: string; secret?: true } = KEYS[name];
        const value = shownValue(declared, winner?.value);
        return { key: name, value, origin: winner?.origin.where ?? 'default', help: declared.help };
      });
      context.out.list({ items, next: null }, [
        ['KEY', 'key'],
        ['VALUE', ({ key: name, value }) => said(String(name), value)],
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
      const said = await sayer({ asNumbers: context.out.plain });
      const value = shown(candidates[0]?.value);
      context.out.text(said(name, value), { key: name, value });
      return undefined;
    },
  },
  {
    verb: 'explain',
    summary: 'Which of the values that were given for a key wins, and why',
    example: 'fumehood config explain sandbox.maxTtl',
    args: [key],
    run: async (context) => {
      const { name, candidates, help, variable, shown, said } = await entryOf(context);
      const given = candidates.map(({ value, origin }, at) => ({
        value: shown(value),
        origin: origin.where,
        wins: at === 0,
      }));
      const lines = given.map(
        (one) => `${one.wins ? '*' : ' '} ${said(name, one.value) || '(nothing)'}  from ${one.origin}\n`,
      );
      const text = `${name}: ${help}\n${lines.join('')}set it with ${variable}, or as "${name}" in fumehood.yaml\n`;
      context.out.text(text, { key: name, ...given[0], candidates: given, variable });
      return undefined;
    },
  },
  {
    verb: 'set',
    summary: 'Write a value into a file of configuration; the next start of the control plane takes it',
    example: 'fumehood config set sandbox.maxTtl "2 d"',
    details:
      'Comments and all else in the file stay. Sizes are written like 64 MiB or 2g, times like 30 s, 10m or 1 h 30 min.',
    args: [key, { name: 'VALUE', required: false, help: 'the value; - or nothing asks for one that is secret' }],
    flags: [file],
    run: async (context) => {
      const { setInFile } = await import('#src/config/write-file.ts');
      const { name, secret } = await entryOf(context);
      const path = await fileOf(context);
      setInFile(path, name, await givenValue(context, name, secret));
      return tellChange(context, path, `wrote ${name} to ${path}`);
    },
  },
  {
    verb: 'unset',
    summary: 'Take a value out of a file of configuration',
    example: 'fumehood config unset sandbox.maxTtl',
    args: [key],
    flags: [file],
    run: async (context) => {
      const { unsetInFile } = await import('#src/config/write-file.ts');
      const { name } = await entryOf(context);
      const path = await fileOf(context);
      if (!unsetInFile(path, name))
        throw new AppError('not_found', `${path} does not set ${name}.`, {
          details: { hint: `"fumehood config explain ${name}" says where its value comes from.` },
        });
      return tellChange(context, path, `took ${name} out of ${path}`);
    },
  },
];

async function fileOf(context: Context): Promise<string> {
  const { userConfigFile } = await import('#src/config/load-config.ts');
  const named = context.text('file');
  return named === undefined ? userConfigFile(context.env) : resolve(named);
}

/** A secret is never taken from the words of a call: others can read those. */
async function givenValue(context: Context, name: string, secret: boolean): Promise<string> {
  const value = context.arg('VALUE');
  if (secret && value !== '' && value !== '-')
    throw new AppError('invalid', `The value of ${name} is secret, and the words of a command can be read by others.`, {
      details: { hint: `Give it on standard input: fumehood config set ${name} - < FILE` },
    });
  if (secret) return context.secret(name);
  if (value === '')
    throw new AppError('invalid', `${name}: a value is missing.`, {
      details: { hint: `See "fumehood config explain ${name}"; "fumehood config unset ${name}" takes it out.` },
    });
  return value;
}

/** Says what wins now: a stronger source may still do. */
async function tellChange(context: Context, path: string, done: string): Promise<undefined> {
  const { name, candidates, shown, said } = await entryOf(context);
  const [winner] = candidates;
  const origin = winner?.origin.where ?? 'default';
  context.out.text(done, { key: name, file: path, value: shown(winner?.value), origin });
  if (!origin.startsWith(`${path}:`))
    context.out.note(`${name} is ${said(name, shown(winner?.value)) || '(nothing)'}, from ${origin}`);
  context.out.next('fumehood down', 'fumehood up --detach');
  return undefined;
}
