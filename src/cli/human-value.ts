/** Values as people say them: "in 26 min", "1.2 GiB", "● running". */
import { formatBytes } from '#kernel/quantities.ts';
import { cell } from './cell.ts';

/** How a value is said. `auto` looks at the name of the member and at the value. */
export type Form = 'auto' | 'text' | 'time' | 'bytes' | 'span' | 'seconds' | 'state' | 'digest';

type Look = { symbol: string; ascii: string; colour: number };

const GREEN = 32;
const YELLOW = 33;
const RED = 31;
const GREY = 90;

const LOOKS = {
  alive: { symbol: '●', ascii: '*', colour: GREEN },
  moving: { symbol: '◌', ascii: '~', colour: YELLOW },
  idle: { symbol: '○', ascii: 'o', colour: GREY },
  good: { symbol: '✓', ascii: '+', colour: GREEN },
  bad: { symbol: '✗', ascii: 'x', colour: RED },
  warned: { symbol: '!', ascii: '!', colour: YELLOW },
  unknown: { symbol: '?', ascii: '?', colour: GREY },
} as const satisfies Record<string, Look>;

const WORDS: Record<keyof typeof LOOKS, readonly string[]> = {
  alive: ['running', 'active', 'healthy', 'serving', 'up', 'in force'],
  moving: ['starting', 'stopping', 'deleting', 'pending', 'scheduled', 'building', 'paused', 'waiting', 'queued'],
  idle: ['stopped', 'deleted', 'expired', 'revoked', 'disabled', 'gone', 'empty', 'cancelled'],
  good: ['ok', 'finished', 'approved', 'allowed', 'passed', 'ready', 'done'],
  bad: ['failed', 'killed', 'denied', 'missing', 'error', 'refused'],
  warned: ['degraded'],
  unknown: ['unknown'],
};

const LOOK_OF = new Map(
  Object.entries(WORDS).flatMap(([look, words]) => words.map((word) => [word, LOOKS[look as keyof typeof LOOKS]])),
);

export type Saying = { nowMs: number; unicode: boolean };
/** A text, and the colour (SGR number) of it where it has one. */
export type Said = { text: string; colour?: number };

/** Says a value; `name` is the member that holds it. */
export function say(value: unknown, form: Form, name: string, saying: Saying): Said {
  if (value === undefined || value === null || value === '') return { text: '-' };
  switch (form === 'auto' ? formOf(value, name) : form) {
    case 'time':
      return { text: relativeTime(value, saying.nowMs) };
    case 'bytes':
      return { text: typeof value === 'number' ? formatBytes(value) : cell(value) };
    case 'span':
      return { text: typeof value === 'number' ? timeSpan(value) : cell(value) };
    case 'seconds':
      return { text: typeof value === 'number' ? timeSpan(1000 * value) : cell(value) };
    case 'state':
      return stateOf(cell(value), saying.unicode);
    case 'digest':
      return { text: shortDigest(cell(value)) };
    default:
      return { text: cell(value) };
  }
}

/** What a member of that name holds. */
export function formOf(value: unknown, name: string): Exclude<Form, 'auto'> {
  if (typeof value === 'number') {
    if (/Bytes$/.test(name)) return 'bytes';
    if (/Ms$/.test(name)) return 'span';
    return /[a-z]Seconds$/.test(name) ? 'seconds' : 'text';
  }
  if (typeof value !== 'string') return 'text';
  if (/(At|^time|^until)$/.test(name) && isTime(value)) return 'time';
  if (/^(state|status|outcome|result)$/.test(name)) return 'state';
  return /^[a-z0-9]+:[0-9a-f]{40,}$/.test(value) && /digest/i.test(name) ? 'digest' : 'text';
}

const isTime = (text: string): boolean => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text));

export function stateOf(word: string, unicode: boolean): Said {
  const look = LOOK_OF.get(word.toLowerCase());
  if (look === undefined) return { text: word };
  return { text: `${unicode ? look.symbol : look.ascii} ${word}`, colour: look.colour };
}

const shortDigest = (digest: string): string => digest.slice(0, digest.indexOf(':') + 13);

/** `3 min ago`, `in 26 min`, `2026-01-31` when it is more than a month away. */
export function relativeTime(value: unknown, nowMs: number): string {
  const ms = typeof value === 'number' ? value : Date.parse(String(value));
  if (!Number.isFinite(ms)) return cell(value);
  const away = ms - nowMs;
  if (Math.abs(away) > 31 * 86_400_000) return new Date(ms).toISOString().slice(0, 10);
  if (Math.abs(away) < 1000) return 'now';
  return away < 0 ? `${timeSpan(-away)} ago` : `in ${timeSpan(away)}`;
}

const SPANS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** One or two units: `850 ms`, `12 s`, `26 min`, `3 h 5 min`, `2 d`. */
export function timeSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const [unit, size] = SPANS.find(([, least]) => ms >= least) ?? ['s', 1000];
  const whole = Math.floor(ms / size);
  if (unit !== 'h' || whole >= 10) return `${whole} ${unit}`;
  const minutes = Math.floor((ms - whole * size) / 60_000);
  return minutes === 0 ? `${whole} h` : `${whole} h ${minutes} min`;
}
