/** Commands that draw over and over: the screen is theirs until Ctrl-C, and is left with the last picture on it. */
import { createInterface } from 'node:readline';
import { AppError } from '#kernel/errors.ts';
import { at, type Query } from './api-client.ts';
import type { Context } from './command.ts';

/** One look at a running sandbox, as the server tells it. CPU in seconds since its start, sizes in bytes, times in ms. */
export type Sample = {
  id: string;
  name: string;
  owner: string;
  cpus: number;
  cpuSeconds: number;
  memoryBytes: number;
  memoryLimitBytes: number;
  diskBytes: number;
  diskLimitBytes: number;
  networkInBytes: number;
  networkOutBytes: number;
  pids: number;
  runningExecs: number;
  idleMs: number;
  expiresAt: string;
};
export type Samples = { time: string; items: Sample[] };

/** How many looks one request asks for. */
const A_WATCH = 300;

/** Samples as they come, one an interval; the server ends a watch after a while, and it is asked for anew until `signal`, or after `looks`. */
export async function* samplesOf(
  context: Context,
  query: Query,
  until: { looks?: number; signal?: AbortSignal },
): AsyncGenerator<Samples> {
  do {
    const samples = until.looks ?? A_WATCH;
    const stream = await context.api.download(at('sandbox-stats'), { query: { ...query, samples } });
    until.signal?.addEventListener('abort', () => stream.destroy(), { once: true });
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }))
      yield JSON.parse(line) as Samples;
  } while (until.looks === undefined && until.signal?.aborted !== true);
}

/** Draws each picture over the one before; resolves to 130 when Ctrl-C ends it. */
export async function drawOver(
  context: Context,
  pictures: (signal: AbortSignal) => AsyncIterable<string>,
): Promise<number> {
  const { stdout } = process;
  const stop = new AbortController();
  process.removeListener('SIGINT', context.interrupt);
  const ended = new Promise<'interrupt'>((resolve) => process.once('SIGINT', () => resolve('interrupt')));
  const source = pictures(stop.signal)[Symbol.asyncIterator]();
  stdout.write('\x1b[?25l\x1b[2J');
  try {
    for (;;) {
      const next = await Promise.race([source.next(), ended]);
      if (next === 'interrupt') return 130;
      if (next.done === true) return 0;
      const lines = next.value
        .trimEnd()
        .split('\n')
        .slice(0, (stdout.rows ?? 24) - 1);
      stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\r\n`).join('')}\x1b[J`);
    }
  } finally {
    stop.abort();
    stdout.write('\x1b[?25h');
  }
}

/** Whether a picture may be drawn over: on a terminal that knows how, and not for a program. */
export const canDrawOver = (context: Context): boolean =>
  process.stdout.isTTY === true && !context.out.json && !context.out.plain && context.env.TERM !== 'dumb';

/** How often to look, of `--every`. */
export function intervalOf(text: string | undefined, parse: (text: string) => number): number {
  const everyMs = text === undefined ? 2000 : parse(text);
  if (everyMs < 500 || everyMs > 60_000)
    throw new AppError('invalid', '--every is between 500ms and 1m.', {
      details: { hint: 'Write it like --every 2s.' },
    });
  return everyMs;
}
