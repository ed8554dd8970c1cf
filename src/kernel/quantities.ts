import { AppError } from './errors.ts';

const BYTE_UNITS: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const SPANS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
];
const TIME_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2g`, `512m`, `1.5g`, `64k`, `1048576` → bytes; units are powers of 1024, `i` and `b` may follow. */
export function parseByteSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)i?b?$/i.exec(text.trim());
  const unit = BYTE_UNITS[match?.[2]?.toLowerCase() ?? '?'];
  if (match === null || unit === undefined) {
    throw new AppError('invalid', `"${text}" is not a size.`, { details: { hint: 'Write it like 512m or 2g.' } });
  }
  return Math.round(Number(match[1]) * unit);
}

/** `500ms`, `30s`, `10m`, `10 min`, `2h`, `1 h 30 min`, `1d` → milliseconds; a bare number means seconds. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (!/^([0-9]+(\.[0-9]+)?\s*(ms|s|min|m|h|d)\s*)*[0-9]+(\.[0-9]+)?\s*(ms|s|min|m|h|d)?$/.test(trimmed)) {
    throw new AppError('invalid', `"${text}" is not a time span.`, {
      details: { hint: 'Write it like 30s, 10m, 2h or 1d.' },
    });
  }
  const parts = [...trimmed.matchAll(/([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|d)?/g)];
  return Math.round(parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (TIME_UNITS[unit] ?? 0), 0));
}

/** Bytes for people: `2 GiB`, `512 MiB`, `17 B`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** The same size to the byte, in the largest unit that says it in at most two decimals: `64 MiB`, `1.5 GiB`, `1234567 B`. */
export function exactBytes(bytes: number): string {
  const fits = [...UNITS.entries()].findLast(([power]) => {
    const value = bytes / 1024 ** power;
    return (power === 0 || value >= 1) && Number.isInteger(value * 100) && Number(value.toFixed(2)) === value;
  });
  const [power, unit] = fits ?? [0, 'B'];
  return `${bytes / 1024 ** power} ${unit}`;
}

/** The same time to the millisecond: `30 s`, `1 h 30 min`, `7 d`. */
export function exactSpan(ms: number): string {
  const parts: string[] = [];
  let left = ms;
  for (const [unit, size] of SPANS) {
    const whole = Math.floor(left / size);
    left -= whole * size;
    if (whole > 0) parts.push(`${whole} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}
