import { type Api, at } from './api-client.ts';
import type { Command, Live } from './command.ts';
import { NOUNS } from './nouns.ts';
import { GLOBAL_FLAGS } from './parse-words.ts';

/** Where the live values of each kind come from, and which member names them. */
const SOURCES: Record<Live, readonly [path: string, members: readonly string[]]> = {
  sandbox: [at('sandboxes'), ['id', 'name']],
  environment: [at('environments'), ['name']],
  dataset: [at('datasets'), ['name']],
  run: [at('runs'), ['id']],
  model: [at('models'), ['name']],
  user: [at('users'), ['name']],
  token: [at('tokens'), ['id']],
  's3-key': [at('access-keys'), ['accessKeyId']],
  approval: [at('access-requests'), ['id']],
  policy: [at('policies'), ['name']],
};

/** What the last of the words may become; nothing when the server cannot be asked. */
export async function candidates(words: readonly string[], api: Api): Promise<string[]> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const found = await possible(before, last, api);
  return found.filter((word) => word.startsWith(last)).sort();
}

async function possible(before: readonly string[], last: string, api: Api): Promise<string[]> {
  const [first, second] = before;
  if (first === undefined) return NOUNS.map((noun) => noun.name);
  const commands = (await NOUNS.find((noun) => noun.name === first)?.load()) ?? [];
  const shortcut = commands.find((one) => one.verb === '');
  if (second === undefined && (shortcut === undefined || (commands.length > 1 && !last.startsWith('-'))))
    return commands.filter((one) => one.hidden !== true && one.verb !== '').map((one) => one.verb);
  const verb = commands.find((one) => one.verb !== '' && one.verb === second);
  const command = verb ?? shortcut;
  if (command === undefined) return [];
  return valuesOf(command, before.slice(verb === undefined ? 1 : 2), last, api);
}

async function valuesOf(command: Command, given: readonly string[], last: string, api: Api): Promise<string[]> {
  const flags = [...(command.flags ?? []), ...GLOBAL_FLAGS];
  const open = flags.find((flag) => `--${flag.name}` === given.at(-1) && flag.value !== undefined);
  if (open !== undefined) return choicesOf(open, api);
  if (last.startsWith('-')) return flags.map((flag) => `--${flag.name}`);
  const position = given.filter((word, at) => !word.startsWith('-') && !takesValue(flags, given[at - 1])).length;
  const args = command.args ?? [];
  const argument = args[position] ?? (args.at(-1)?.many === true ? args.at(-1) : undefined);
  return argument === undefined ? [] : choicesOf(argument, api);
}

const takesValue = (flags: readonly { name: string; value?: string }[], word: string | undefined): boolean =>
  flags.some((flag) => flag.value !== undefined && `--${flag.name}` === word);

async function choicesOf(one: { choices?: readonly string[]; live?: Live }, api: Api): Promise<string[]> {
  if (one.choices !== undefined) return [...one.choices];
  if (one.live === undefined) return [];
  const [path, members] = SOURCES[one.live];
  try {
    const { items } = await api.send<{ items: Record<string, unknown>[] }>('GET', path, { query: { limit: 200 } });
    return items.flatMap((item) => members.map((member) => item[member])).filter((value) => typeof value === 'string');
  } catch {
    return [];
  }
}
