/** The reference of the command line, out of the table that parses it. */
import type { Command } from '#src/cli/command.ts';
import { argumentTexts, flagText, helpOf } from '#src/cli/help.ts';
import { EXIT_CODES } from '#src/cli/man-page.ts';
import { NOUNS } from '#src/cli/nouns.ts';
import { GLOBAL_FLAGS } from '#src/cli/parse-words.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '&lt;');
const table = (head: string, rows: readonly (readonly [string, string])[]): string =>
  rows.length === 0
    ? ''
    : `\n| ${head} | |\n|---|---|\n${rows.map(([a, b]) => `| \`${a}\` | ${cell(b)} |`).join('\n')}\n`;

function sectionOf(noun: string, command: Command): string {
  const words = ['fumehood', noun, command.verb].filter((word) => word !== '');
  const call = [...words, ...argumentTexts(command), ...(command.rest === undefined ? [] : ['--', command.rest])];
  const rows = [
    ...(command.args ?? []).map((one) => [one.name, helpOf(one)] as const),
    ...(command.flags ?? []).map((flag) => [flagText(flag), helpOf(flag)] as const),
  ];
  const details = command.details === undefined ? '' : ` ${cell(command.details)}`;
  return `### ${words.slice(1).join(' ')}

${cell(command.summary)}.${details}

\`\`\`text
${call.join(' ')}
\`\`\`
${table('argument or flag', rows)}
Example: \`${command.example}\`
`;
}

/** The page, below the line that says that it is generated. */
export async function cliPage(): Promise<string> {
  const sections: string[] = [];
  for (const noun of NOUNS) {
    const commands = (await noun.load()).filter((command) => command.hidden !== true);
    const single = commands.length === 1 && commands[0]?.verb === '';
    sections.push(
      `## ${noun.name}\n\n${single ? '' : `${cell(noun.summary)}.\n\n`}${commands.map((one) => sectionOf(noun.name, one)).join('\n')}`,
    );
  }
  return `# Command line

\`./fumehood NOUN VERB [arguments] [flags]\`. Data goes to stdout, everything else to stderr. \`fumehood man\` prints the same as a manual page.
Tables are cut to the terminal, never wrapped; on a pipe, with \`--plain\` and with \`--json\` nothing is cut.

## Flags of every command
${table(
  'flag',
  GLOBAL_FLAGS.map((flag) => [flagText(flag), flag.help] as const),
)}
## Exit codes
${table('code', EXIT_CODES)}
What each error of the API gives is in [errors and exit codes](errors.md).

${sections.join('\n')}`;
}
