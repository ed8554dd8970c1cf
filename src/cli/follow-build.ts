/** The phases of a build of an environment on stderr while it runs, and on demand what the installer says. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#kernel/errors.ts';
import { at } from './api-client.ts';
import { cell } from './cell.ts';
import type { Context } from './command.ts';
import { timeSpan } from './human-value.ts';
import type { EndPhase } from './progress.ts';

type Line = { time: string; build: string; kind: string; phase: string; text: string };

const WORDS: Readonly<Record<string, string>> = {
  resolve: 'resolve the versions',
  build: 'build from source, in a sandbox',
  wait: 'wait for the same installation',
  download: 'fetch the packages',
  install: 'install',
  compile: 'compile to bytecode',
  measure: 'measure',
  store: 'store',
};

/** How long the last lines may take once the answer is there. */
const LAST_LINES_MS = 2000;
const UNREAD_LINES_MS = 20;

/** Runs `work`, which makes the control plane build the environment `name`, and shows the phases meanwhile. */
export async function followBuild<T>(
  context: Context,
  { name, log }: { name: string; log: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const stream = await context.api.download(at('environments', name, 'build')).catch((error) => {
    // To build needs nobody who looks, nor that the caller may look.
    if (!log && error instanceof AppError) return undefined;
    throw error;
  });
  if (stream === undefined) return inOnePhase(context, name, work);
  const shown = showPhases(context, log);
  const read = readLines(stream, shown.line);
  const interrupted = (): void => {
    if (context.out.terminal.live) context.out.note('');
    context.out.note('The control plane goes on building. The same command waits until it is there, and shows it.');
    context.interrupt();
  };
  process.removeListener('SIGINT', context.interrupt);
  process.once('SIGINT', interrupted);
  try {
    const made = await work();
    await Promise.race([read, delay(LAST_LINES_MS, undefined, { ref: false })]);
    return made;
  } catch (error) {
    // What was told before the answer may not be read yet; what is refused at once begins no phase.
    await Promise.race([read, delay(UNREAD_LINES_MS)]);
    if (shown.isRunning()) await Promise.race([read, delay(LAST_LINES_MS, undefined, { ref: false })]);
    throw error;
  } finally {
    process.off('SIGINT', interrupted);
    process.on('SIGINT', context.interrupt);
    stream.destroy();
    shown.stop();
  }
}

async function inOnePhase<T>({ out }: Context, name: string, work: () => Promise<T>): Promise<T> {
  const end = out.phase(`Building the environment "${name}"`);
  try {
    const made = await work();
    end('done');
    return made;
  } catch (error) {
    end('failed');
    throw error;
  }
}

/** Ends with the first build that begins after the watch is ready: what ran before is not this call's. */
async function readLines(stream: Readable, onLine: (line: Line) => void): Promise<void> {
  const others = new Set<string>();
  let isReady = false;
  let own: string | undefined;
  try {
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = JSON.parse(text) as Line;
      if (line.kind === 'ready') isReady = true;
      if (line.build === '') continue;
      if (!isReady) others.add(line.build);
      else if (!others.has(line.build)) own ??= line.build;
      if (line.build !== own) continue;
      onLine(line);
      if (line.kind === 'done' || line.kind === 'failed') return;
    }
  } catch {
    // A watch that breaks off takes nothing from the build: its answer says how it went.
  }
}

type Current = { name: string; beganMs: number; end: EndPhase };

/** On a terminal a spinner a phase; on a pipe, or below a log, one line a finished phase. */
function showPhases({ out }: Context, log: boolean) {
  let current: Current | undefined;
  const finish = (result: string, endedMs: number): void => {
    if (current === undefined) return;
    const { name, beganMs, end } = current;
    current = undefined;
    if (out.terminal.live && !log) {
      end(result);
      return;
    }
    const took = out.plain ? '' : ` (${timeSpan(Math.max(0, endedMs - beganMs))})`;
    out.note(`${name}: ${result}${took}`);
  };
  const begin = (phase: string, beganMs: number): void => {
    const name = `  ${WORDS[phase] ?? cell(phase)}`;
    const end = out.terminal.live && !log ? out.phase(name) : () => undefined;
    current = { name, beganMs, end };
  };
  return {
    isRunning: () => current !== undefined,
    line: ({ kind, phase, text, time }: Line): void => {
      const nowMs = Date.parse(time);
      if (kind === 'log' && log) out.note(`    ${cell(text)}`);
      if (kind === 'phase' || kind === 'done') finish('done', nowMs);
      if (kind === 'phase') begin(phase, nowMs);
      if (kind === 'failed') finish('failed', nowMs);
    },
    stop: () => finish('not known', Date.now()),
  };
}
