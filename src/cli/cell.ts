/** Control characters, and those that turn the direction of text around or take no room. */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escaped = (character: string): string => {
  const code = character.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** A value in a table or a line: control characters are shown, not obeyed, since names come from others. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(',');
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(UNSAFE, escaped);
}

/** Words for people in several lines: those after the first are set in, so that none of them passes for a line of ours. */
export const paragraph = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(UNSAFE, escaped))
    .join('\n    ');
