/** The manual page of all commands, out of their table: roff for man(1). */
import type { Command } from './command.ts';
import { argumentTexts, flagText, helpOf } from './help.ts';
import { NOUNS } from './nouns.ts';
import { GLOBAL_FLAGS } from './parse-words.ts';

/** Exit codes, by their meaning. */
export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'done'],
  ['1', 'error'],
  ['2', 'wrong usage'],
  ['3', 'not found'],
  ['4', 'not authenticated'],
  ['5', 'denied by policy'],
  ['6', 'conflict with the present state'],
  ['7', 'time is over'],
  ['8', 'waiting for something, such as an approval or an upgrade'],
  ['125 to 127', 'sandbox exec: a fault of Fumehood; cannot be run; is not there'],
  ['130', 'interrupted'],
];

const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ['FUMEHOOD_HOME', 'where the state lives'],
  ['FUMEHOOD_URL, FUMEHOOD_TOKEN', 'the control plane to talk to, and as whom'],
  ['FUMEHOOD_OUTPUT', 'json or plain, as the flags'],
  ['NO_COLOR, FORCE_COLOR', 'no colour; colour also on a pipe'],
];

/** Text as roff takes it: nothing in it is a request or an escape. */
export const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replace(
      /[^\x00-\x7f]/gu,
      (one) => `\\[u${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );

const item = (term: string, text: string): string => `.TP\n.B ${roff(term)}\n${roff(text)}\n`;
const items = (pairs: readonly (readonly [string, string])[]): string => pairs.map(([a, b]) => item(a, b)).join('');

/** The whole page. */
export async function manPage(version: string): Promise<string> {
  const commands: string[] = [];
  for (const noun of NOUNS)
    for (const command of await noun.load()) if (command.hidden !== true) commands.push(entryOf(noun.name, command));
  return [
    `.TH FUMEHOOD 1 "" "Fumehood ${roff(version)}" "User Commands"\n`,
    '.SH NAME\nfumehood \\- sealed, disposable environments in which AI models are developed, trained, evaluated and tried\n',
    '.SH SYNOPSIS\n.B fumehood\n.I NOUN VERB\n[arguments] [flags]\n',
    '.SH COMMANDS\n',
    ...commands,
    '.SH FLAGS OF EVERY COMMAND\n',
    items(GLOBAL_FLAGS.map((flag) => [flagText(flag), flag.help])),
    '.SH ENVIRONMENT\n',
    items(VARIABLES),
    '.SH EXIT STATUS\n',
    items(EXIT_CODES),
  ].join('');
}

function entryOf(noun: string, command: Command): string {
  const words = ['fumehood', noun, command.verb, ...argumentTexts(command)].filter((word) => word !== '');
  if (command.rest !== undefined) words.push('--', command.rest);
  const more = command.details === undefined ? '' : `.PP\n${roff(command.details)}\n`;
  const named = [...(command.args ?? []).map((one) => [one.name, helpOf(one)] as const)];
  const flags = (command.flags ?? []).map((flag) => [flagText(flag), helpOf(flag)] as const);
  const example = `.PP\nExample:\n.RS\n.nf\n${roff(command.example)}\n.fi\n.RE\n`;
  return `.SS ${roff(words.join(' '))}\n${roff(`${command.summary}.`)}\n${more}${items(named)}${items(flags)}${example}`;
}
