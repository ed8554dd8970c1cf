import { AppError } from './errors.ts';

const BYTE_UNITS: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const TIME_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2g`, `512m`, `1.5g`, `64k`, `1048576` → bytes; units are powers of 1024, `i` and `b` may follow. */
export function parseByteSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)i?b?$/i.exec(text.trim());
  const unit = BYTE_UNITS[match?.[2]?.toLowerCase() ?? '?'];
  if (match === null || unit === undefined) {
    throw new AppError('invalid', `"${text}" is not a size.`, { details: { hint: 'Write it like 512m or 2g.' } });
  }
  return Math.round(Number(match[1]) * unit);
}

/** `500ms`, `30s`, `10m`, `2h`, `1d` → milliseconds; a bare number means seconds. */
export function parseDuration(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  const unit = TIME_UNITS[match?.[2] ?? 's'];
  if (match === null || unit === undefined) {
    throw new AppError('invalid', `"${text}" is not a time span.`, {
      details: { hint: 'Write it like 30s, 10m, 2h or 1d.' },
    });
  }
  return Math.round(Number(match[1]) * unit);
}

/** Bytes for people: `2 GiB`, `512 MiB`, `17 B`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
