import { AppError } from '#kernel/errors.ts';
import { closest } from './closest.ts';
import type { Argument, Command, Flag, Words } from './command.ts';

/** Flags that every command takes. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'json', help: 'print JSON; --json=a,b prints only these members' },
  { name: 'plain', help: 'no colour, no spinner, tab-separated tables' },
  { name: 'yes', short: 'y', help: 'answer yes to the question before something is destroyed' },
  { name: 'no-input', help: 'never ask: fail where a question would be asked' },
  { name: 'home', value: 'DIR', help: 'the home to use (else FUMEHOOD_HOME, else the XDG data folder)' },
  { name: 'help', short: 'h', help: 'show this help' },
];

const usage = (message: string, hint: string): AppError => new AppError('invalid', message, { details: { hint } });

type Collected = { flags: Map<string, string[]>; positional: string[]; rest: string[] };

/** Parses the words after noun and verb by the command's table; a wrong word is a usage error that says what would be right. */
export function parseWords(command: Command, called: string, words: readonly string[]): Words & { help: boolean } {
  const help = `See "${called} --help".`;
  const collected = collect(command, words, help);
  const asked = collected.flags.has('help');
  const values = asked ? new Map<string, string[]>() : bind(command, collected, help);
  if (!asked) requireFlags(command, collected.flags, help);
  return {
    help: asked,
    arg: (name) => values.get(name)?.[0] ?? '',
    args: (name) => values.get(name) ?? [],
    text: (name) => collected.flags.get(name)?.at(-1),
    many: (name) => collected.flags.get(name) ?? [],
    on: (name) => collected.flags.has(name),
    rest: collected.rest,
  };
}

function collect(command: Command, words: readonly string[], help: string): Collected {
  const table = [...(command.flags ?? []), ...GLOBAL_FLAGS];
  const found: Collected = { flags: new Map(), positional: [], rest: [] };
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      if (command.rest === undefined) found.positional.push(...queue.splice(0));
      else found.rest.push(...queue.splice(0));
    } else if (word.startsWith('--')) takeLong(table, word, queue, found.flags, help);
    else if (word.startsWith('-') && word !== '-' && !/^-\d/.test(word))
      takeShort(table, word, queue, found.flags, help);
    else found.positional.push(word);
  }
  return found;
}

function takeLong(
  table: readonly Flag[],
  word: string,
  queue: string[],
  into: Map<string, string[]>,
  help: string,
): void {
  const equals = word.indexOf('=');
  const name = word.slice(2, equals === -1 ? undefined : equals);
  const flag = table.find((one) => one.name === name);
  if (flag === undefined) {
    const near = closest(
      name,
      table.map((one) => one.name),
    );
    throw usage(`There is no flag --${name}.`, near === undefined ? help : `Did you mean --${near}? ${help}`);
  }
  const inline = equals === -1 ? undefined : word.slice(equals + 1);
  take(flag, inline, queue, into, help);
}

function takeShort(
  table: readonly Flag[],
  word: string,
  queue: string[],
  into: Map<string, string[]>,
  help: string,
): void {
  for (const letter of word.slice(1)) {
    const flag = table.find((one) => one.short === letter);
    if (flag === undefined) throw usage(`There is no flag -${letter}.`, help);
    take(flag, undefined, queue, into, help);
  }
}

function take(
  flag: Flag,
  inline: string | undefined,
  queue: string[],
  into: Map<string, string[]>,
  help: string,
): void {
  const before = into.get(flag.name) ?? [];
  if (flag.value === undefined) {
    if (inline !== undefined && flag.name !== 'json') throw usage(`--${flag.name} takes no value.`, help);
    into.set(flag.name, [inline ?? '']);
    return;
  }
  const value = inline ?? queue.shift();
  if (value === undefined) throw usage(`--${flag.name} needs a value (${flag.value}).`, help);
  if (before.length > 0 && flag.many !== true) throw usage(`--${flag.name} is given twice.`, help);
  requireChoice(`--${flag.name}`, flag.choices, value, help);
  into.set(flag.name, [...before, value]);
}

function requireChoice(what: string, choices: readonly string[] | undefined, value: string, help: string): void {
  if (choices === undefined || choices.includes(value)) return;
  throw usage(`${what} cannot be "${value}".`, `It is one of ${choices.join(', ')}. ${help}`);
}

function requireFlags(command: Command, given: Map<string, string[]>, help: string): void {
  for (const flag of command.flags ?? [])
    if (flag.required === true && !given.has(flag.name))
      throw usage(`--${flag.name} ${flag.value ?? ''} is missing: ${flag.help}.`, help);
}

function bind(command: Command, { positional, rest }: Collected, help: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const queue = [...positional];
  for (const argument of command.args ?? []) values.set(argument.name, takeArgument(argument, queue, help));
  if (queue.length > 0) {
    const spare = command.rest === undefined ? '' : ` Write the command after "--".`;
    throw usage(`"${queue[0]}" is one word too many.${spare}`, help);
  }
  if (command.rest !== undefined && !command.rest.startsWith('[') && rest.length === 0)
    throw usage(`${command.rest} is missing after "--".`, help);
  return values;
}

function takeArgument(argument: Argument, queue: string[], help: string): string[] {
  const taken = argument.many === true ? queue.splice(0) : queue.splice(0, 1);
  if (taken.length === 0 && argument.required !== false)
    throw usage(`${argument.name} is missing: ${argument.help}.`, help);
  for (const value of taken) requireChoice(argument.name, argument.choices, value, help);
  return taken;
}
