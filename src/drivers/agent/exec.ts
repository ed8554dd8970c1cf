/** Commands and Python source through the agent, as the contract's `Exec`. */
import { Readable, Writable } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import type { Exec, ExecOptions, ExecResult } from '../driver.ts';
import { agentFault, FRAME_TYPES } from './frames.ts';
import { type Dial, openWire, type Wire } from './wire.ts';

const START_TIMEOUT_MS = 30_000;

/** Starts a command; resolves when the agent says that it runs. */
export function startExec(dial: Dial, options: ExecOptions): Promise<Exec> {
  const { argv, env, cwd, timeoutMs, maxOutputBytes, terminal } = options;
  return start(dial, { op: 'exec', argv, env, cwd, timeoutMs, maxOutputBytes, terminal }, undefined);
}

/** Runs source in the warm interpreter. */
export function startPython(
  dial: Dial,
  options: { source: string } & Omit<ExecOptions, 'argv' | 'terminal'> & { name?: string },
): Promise<Exec> {
  const { source, ...rest } = options;
  return start(dial, { op: 'python', ...rest }, Buffer.from(source));
}

function start(dial: Dial, request: Record<string, unknown>, source: Buffer | undefined): Promise<Exec> {
  return new Promise((resolve, reject) => {
    const streams = createStreams(() => wire);
    let started = false;
    let ended = false;
    const result = Promise.withResolvers<ExecResult>();
    result.promise.catch(() => undefined);
    const timer = setTimeout(
      () => fail(new AppError('timeout', 'The sandbox did not start the command in time.')),
      START_TIMEOUT_MS,
    );
    const fail = (fault: AppError): void => {
      clearTimeout(timer);
      if (ended) return;
      ended = true;
      wire.close();
      streams.destroy(fault);
      result.reject(fault);
      reject(fault);
    };
    const wire: Wire = openWire(dial, request, {
      onData: (type, bytes) => {
        if (!started) throw agentFault('output before the start');
        return streams.push(type, bytes);
      },
      onEnd: fail,
      onJson: (message) => {
        if (message.ready === true && source !== undefined && !started) {
          wire.input(source, () => wire.input(Buffer.alloc(0), () => undefined));
        } else if ('started' in message && !started) {
          started = true;
          clearTimeout(timer);
          resolve({ ...streams.ends, result: result.promise, ...controlsOf(wire) });
        } else if ('error' in message) {
          fail(reportedError(message.error));
        } else if ('exit' in message && started) {
          const outcome = resultOf(message);
          ended = true;
          streams.end();
          wire.close();
          result.resolve(outcome);
        } else {
          throw agentFault('an answer out of turn');
        }
      },
    });
  });
}

const controlsOf = (wire: Wire): Pick<Exec, 'signal' | 'resize'> => ({
  signal: (name) => wire.json({ signal: name.replace(/^SIG/, '').slice(0, 16) }),
  resize: ({ rows, cols }) => wire.json({ resize: { rows, cols } }),
});

/** The agent's word on how a command ended, held to what can be. */
function resultOf(message: Record<string, unknown>): ExecResult {
  const { exit, signal, timedOut, truncated } = message;
  if (typeof exit !== 'number' || !Number.isInteger(exit) || exit < 0 || exit > 255)
    throw agentFault('an exit code that cannot be');
  const named = typeof signal === 'string' && /^[A-Z0-9+]{1,10}$/.test(signal) ? { signal } : {};
  return { exitCode: exit, ...named, timedOut: timedOut === true, truncated: truncated === true };
}

const FILE_CODES: Record<string, 'not_found' | 'invalid' | 'denied' | 'conflict'> = {
  ENOENT: 'not_found',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  EEXIST: 'conflict',
  ENOTEMPTY: 'conflict',
};

/** An error that the agent reports, with nothing of it that could act on a terminal. */
export function reportedError(error: unknown): AppError {
  const { code, message } = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  const text = typeof message === 'string' ? message.replace(/[^\x20-\x7e]/g, '?').slice(0, 300) : 'no reason given';
  const known = typeof code === 'string' ? (FILE_CODES[code] ?? 'invalid') : 'invalid';
  return new AppError(known, `In the sandbox: ${text}.`, {
    details: {
      hint:
        code === 'ENOSPC'
          ? 'The workspace is full; remove something or ask for more with --disk.'
          : 'Look at the path and at what is there.',
    },
  });
}

type Streams = {
  ends: Pick<Exec, 'stdin' | 'stdout' | 'stderr'>;
  push(type: number, bytes: Buffer): boolean;
  end(): void;
  destroy(fault: AppError): void;
};

function createStreams(wireOf: () => Wire): Streams {
  const read = (): void => wireOf().resume();
  const stdout = new Readable({ read, highWaterMark: 256 * 1024 });
  const stderr = new Readable({ read, highWaterMark: 256 * 1024 });
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => wireOf().input(chunk, done),
    final: (done) => wireOf().input(Buffer.alloc(0), done),
  });
  // Who uses the streams sees their errors; who does not must not be ended by them.
  for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
  const open = new Set([FRAME_TYPES.output, FRAME_TYPES.error] as number[]);
  const streamOf = (type: number): Readable => (type === FRAME_TYPES.output ? stdout : stderr);
  return {
    ends: { stdin, stdout, stderr },
    push: (type, bytes) => {
      if (!open.has(type)) throw agentFault('output after its end');
      if (bytes.length > 0) return streamOf(type).push(bytes);
      open.delete(type);
      streamOf(type).push(null);
      return true;
    },
    end: () => {
      for (const type of open) streamOf(type).push(null);
      open.clear();
      stdin.destroy();
    },
    destroy: (fault) => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy(fault);
    },
  };
}
