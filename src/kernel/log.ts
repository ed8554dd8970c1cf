/** Structured log lines on stderr: never a secret, a key or a body. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;
export type LogFormat = 'json' | 'text';
/** One event, for whoever takes it besides the line. */
export type LogRecord = { timeMs: number; level: LogLevel; message: string; fields: Record<string, unknown> };

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that writes one line an event to `write`, from `least` upwards: a JSON object, or words for a person. */
export function createLog(
  write: (line: string) => void,
  least: LogLevel = 'info',
  format: LogFormat = 'json',
  record?: (record: LogRecord) => void,
): Log {
  const render = format === 'json' ? renderJson : renderText;
  return (level, message, fields = {}) => {
    if (ORDER[level] < ORDER[least]) return;
    const now = new Date();
    const described = describe(fields);
    write(`${withoutTokens(render(now.toISOString(), level, message, described))}\n`);
    record?.({ timeMs: now.getTime(), level, message, fields: JSON.parse(withoutTokens(JSON.stringify(described))) });
  };
}

type Render = (time: string, level: LogLevel, message: string, fields: Record<string, unknown>) => string;

const renderJson: Render = (time, level, message, fields) => JSON.stringify({ time, level, message, ...fields });

/** What is not plain is quoted, so that no value can make a line of its own or move the cursor of a terminal. */
const renderText: Render = (time, level, message, fields) =>
  [
    time.slice(11, 23),
    level.padEnd(5),
    message,
    ...Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`),
  ].join(' ');

function plain(value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) && !value.includes('"')) return value;
  return (JSON.stringify(value) ?? 'undefined').replace(/[\x7f-\uffff]/g, escaped);
}

const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Errors of libraries may quote what they were given: whatever looks like a credential is cut out of every line. */
const withoutTokens = (line: string): string =>
  line.replace(/\b(fh_|hvs\.|Bearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi, '$1[removed]');

function describe(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}
