import { showControls } from '#kernel/show-controls.ts';

/** A value in a table or a line: control characters are shown, not obeyed, since names come from others. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(',');
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return showControls(text);
}

/** Words for people in several lines: those after the first are set in, so that none of them passes for a line of ours. */
export const paragraph = (text: string): string => text.split('\n').map(showControls).join('\n    ');
