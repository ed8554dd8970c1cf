/** One thing for people: its members one a line, times and sizes in their own words, what is nested below. */
import { cell } from './cell.ts';
import { displayWidth, pad } from './display-width.ts';
import { formOf, say } from './human-value.ts';
import type { TableLook } from './table.ts';

type Look = TableLook;

/** A list is not broken into lines narrower than this. */
const NARROWEST = 20;

/** The members of a thing, only `members` when given. */
export function describeItem(value: object, members: readonly string[] | undefined, look: Look): string {
  const record = value as Record<string, unknown>;
  const names = (members ?? Object.keys(record)).filter((name) => record[name] !== undefined);
  const width = Math.max(0, ...names.map((name) => name.length));
  return names
    .map((name) => {
      const room = look.columns === undefined ? undefined : Math.max(NARROWEST, look.columns - width - 2);
      const lines = linesOf(record[name], name, look, room);
      const [first = '-', ...rest] = lines;
      const indent = ' '.repeat(width + 2);
      return [`${look.bold(name.padEnd(width))}  ${first}\n`, ...rest.map((line) => `${indent}${line}\n`)].join('');
    })
    .join('');
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function linesOf(value: unknown, name: string, look: Look, room: number | undefined): string[] {
  if (isRecord(value)) {
    const pairs = Object.entries(value).map(([key, one]) => [cell(key), plainly(one, key, look)] as const);
    const widest = pairs.reduce((most, [key]) => Math.max(most, displayWidth(key)), 0);
    return pairs.length === 0 ? ['-'] : pairs.map(([key, text]) => `${pad(key, widest)}  ${text}`);
  }
  if (Array.isArray(value) && value.some(isRecord)) return value.map((one) => oneLine(one, look));
  if (Array.isArray(value) && value.length > 0) return wrapped(value.map(cell), room);
  return [plainly(value, name, look)];
}

/** The words of a list, as many a line as there is room for; on a pipe all on one. */
function wrapped(words: readonly string[], room: number | undefined): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const next = line === '' ? word : `${line}, ${word}`;
    if (room === undefined || line === '' || displayWidth(next) < room) line = next;
    else {
      lines.push(`${line},`);
      line = word;
    }
  }
  return [...lines, line];
}

const oneLine = (value: unknown, look: Look): string =>
  isRecord(value)
    ? Object.entries(value)
        .filter(([, one]) => one !== null && one !== undefined)
        .map(([key, one]) => `${cell(key)}=${plainly(one, key, look)}`)
        .join('  ')
    : cell(value);

/** A value on one line: nothing of it is left out, and what people say of it stands beside. */
function plainly(value: unknown, name: string, look: Look): string {
  const form = formOf(value, name);
  if (form === 'time') return `${cell(value)} (${say(value, 'time', name, look).text})`;
  if (form === 'digest') return cell(value);
  if (form === 'bytes' && typeof value === 'number' && value >= 1024) return say(value, form, name, look).text;
  const said = say(value, form, name, look);
  return said.colour === undefined ? said.text : look.paint(said.colour, said.text);
}
