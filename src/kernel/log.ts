/** Structured log lines on stderr: never a secret, a key or a body. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that writes one JSON object a line to `write`, from `least` upwards. */
export function createLog(write: (line: string) => void, least: LogLevel = 'info'): Log {
  return (level, message, fields = {}) => {
    if (ORDER[level] < ORDER[least]) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...describe(fields) })}\n`);
  };
}

function describe(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}
