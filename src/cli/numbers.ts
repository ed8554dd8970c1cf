import { AppError } from '#kernel/errors.ts';
import { parseDuration } from '#kernel/quantities.ts';

/** The number that a flag's text means; a usage error when it means none. */
export function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new AppError('invalid', `--${flag}: "${text}" is not a number.`);
  return value;
}

/** The milliseconds of a flag such as `30s`. */
export const durationOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseDuration(text);
