import { AppError } from '#kernel/errors.ts';
import type { Argument, Command, Flag } from './command.ts';
import { NOUNS } from './nouns.ts';
import { GLOBAL_FLAGS } from './parse-words.ts';

const rows = (pairs: readonly (readonly [string, string])[]): string => {
  const width = Math.max(0, ...pairs.map(([left]) => left.length));
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
};

/** The help of `fumehood` itself. */
export function helpFor(): string {
  return `fumehood NOUN VERB [arguments] [flags]

Sealed, disposable environments in which models are developed, trained, evaluated and tried.

Commands
${rows(NOUNS.map((noun) => [noun.name, noun.summary]))}
Flags of every command
${rows(GLOBAL_FLAGS.map((flag) => [flagText(flag), flag.help]))}
Environment
${rows([
  ['FUMEHOOD_HOME', 'where the state lives'],
  ['FUMEHOOD_URL, FUMEHOOD_TOKEN', 'the control plane to talk to, and as whom'],
  ['FUMEHOOD_OUTPUT', 'json or plain, as the flags'],
  ['NO_COLOR', 'no colour'],
])}
Exit codes
${rows([
  ['0 1 2', 'done; error; wrong usage'],
  ['3 4 5', 'not found; not authenticated; denied by policy'],
  ['6 7 8', 'conflict; timeout; waiting for approval'],
  ['130', 'interrupted'],
])}
Two to begin with: "fumehood demo" and "fumehood doctor". More: "fumehood NOUN --help".
`;
}

/** The help of a noun: its verbs. */
export async function nounHelp(name: string): Promise<string> {
  const noun = NOUNS.find((one) => one.name === name);
  if (noun === undefined) throw new AppError('invalid', `There is no command "${name}".`);
  const commands = (await noun.load()).filter((command) => command.hidden !== true);
  const shortcut = commands.find((command) => command.verb === '');
  const usage = [`fumehood ${name} VERB [arguments] [flags]`];
  if (shortcut !== undefined) usage.unshift(['fumehood', name, ...argumentTexts(shortcut), '[flags]'].join(' '));
  return `${usage.join('\n')}

${noun.summary}.

${rows(commands.map((command) => [[command.verb, ...argumentTexts(command)].join(' '), command.summary]))}
More: "fumehood ${name} VERB --help".
`;
}

/** The help of one command. */
export function commandHelp(command: Command, called: string): string {
  const flags = command.flags ?? [];
  const words = [called, ...argumentTexts(command), ...flags.filter((flag) => flag.required).map(flagText), '[flags]'];
  if (command.rest !== undefined)
    words.push(command.rest.startsWith('[') ? `[-- ${command.rest.slice(1)}` : `-- ${command.rest}`);
  const parts = [
    `${words.join(' ')}\n`,
    `${command.summary}.\n${command.details === undefined ? '' : `${command.details}\n`}`,
  ];
  if ((command.args ?? []).length > 0)
    parts.push(`Arguments\n${rows((command.args ?? []).map((one) => [one.name, helpOf(one)]))}`);
  if (flags.length > 0) parts.push(`Flags\n${rows(flags.map((flag) => [flagText(flag), helpOf(flag)]))}`);
  parts.push(`Example\n  ${command.example}\n`);
  parts.push(`Flags of every command\n${rows(GLOBAL_FLAGS.map((flag) => [flagText(flag), flag.help]))}`);
  return parts.join('\n');
}

export const helpOf = (one: Flag | Argument): string =>
  one.choices === undefined ? one.help : `${one.help} (${one.choices.join(', ')})`;

export function flagText(flag: Flag): string {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  return `${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}${flag.many === true ? '...' : ''}`;
}

export const argumentTexts = (command: Command): string[] =>
  (command.args ?? []).map((one) => {
    const text = one.many === true ? `${one.name}...` : one.name;
    return one.required === false ? `[${text}]` : text;
  });
