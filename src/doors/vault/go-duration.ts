import { AppError } from '#kernel/errors.ts';

const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Vault's time spans (`3h25m19s`, `30m`, `1.5h`, `7d`, `90`, 90; a bare number means seconds) in ms. Throws `invalid`. */
export function parseGoDuration(value: string | number): number {
  const text = String(value).trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text)
    throw new AppError('invalid', `"${text.slice(0, 40)}" is not a duration`);
  return Math.round(parts.reduce((sum, part) => sum + Number(part[1]) * (UNITS_MS[part[2] ?? ''] ?? 0), 0));
}

/** A time span in ms as Go writes it: `0s`, `5s`, `2m0s`, `1h0m0s`. */
export function formatGoDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
