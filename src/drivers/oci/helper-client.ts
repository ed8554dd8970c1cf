/** The helper's end in Node: requests over the IPC channel, listening sockets as native handles. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

/** Longer than anything that is asked of it takes; a runtime's own calls have a limit of their own. */
const SILENCE_MS = 90_000;

type Waiting = { resolve: (value: unknown) => void; reject: (error: unknown) => void; handles: Map<string, unknown> };

export type Helper = {
  /** Asks for one thing; `handles` are the listening sockets that came with the answer, by door. */
  ask(op: string, request: Record<string, unknown>): Promise<{ ok: unknown; handles: Map<string, unknown> }>;
  close(): void;
};

/**
 * Starts the helper; when it dies or does not answer, what was asked fails and the next request starts it anew. Sockets that were handed over
 * stay open.
 */
export function createHelper(deps: {
  pythonDir: string;
  python: string;
  log: (message: string) => void;
  silenceMs?: number;
}): Helper {
  let child: ChildProcess | undefined;
  let closed = false;
  let next = 0;
  const waiting = new Map<number, Waiting>();

  const start = (): ChildProcess => {
    const started = spawn(deps.python, ['-I', '-S', '-B', join(deps.pythonDir, 'fumehood_helper')], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    started.stderr?.setEncoding('utf8').on('data', (text: string) => deps.log(text.trim()));
    started.on('message', (message: Record<string, unknown> | null, handle: unknown) =>
      receive(waiting, message, handle),
    );
    const lost = (how: string, error: AppError): void => {
      if (child !== started) return;
      child = undefined;
      if (!closed) deps.log(`the helper ${how}; it is started anew when it is needed`);
      for (const one of waiting.values()) one.reject(error);
      waiting.clear();
    };
    started.on('error', (error) =>
      lost(`failed: ${error.message}`, started.pid === undefined ? cannotStart(deps.python, error) : helperLost()),
    );
    started.on('exit', (code, signal) => lost(`ended with ${signal ?? code}`, helperLost()));
    return started;
  };

  return {
    ask: (op, request) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new AppError('unavailable', 'The driver is closed.'));
        child ??= start();
        const asked = child;
        next += 1;
        const handles = new Map<string, unknown>();
        const silent = setTimeout(() => {
          deps.log(`the helper did not answer "${op}"; it is ended`);
          asked.kill('SIGKILL');
        }, deps.silenceMs ?? SILENCE_MS);
        const settle =
          <T>(act: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(silent);
            act(value);
          };
        waiting.set(next, {
          resolve: settle((ok: unknown) => resolve({ ok, handles })),
          reject: settle(reject),
          handles,
        });
        asked.send({ ...request, id: next, op });
      }),
    close: () => {
      closed = true;
      child?.disconnect();
      child?.kill();
    },
  };
}

const helperLost = (): AppError =>
  new AppError('unavailable', 'The network helper ended in the middle of its work; what it had begun is taken back.', {
    details: { hint: 'Try again: it has been started anew.' },
  });

const cannotStart = (python: string, cause: NodeJS.ErrnoException): AppError =>
  new AppError('unavailable', `The network helper cannot be started: ${python} (${cause.code ?? cause.message}).`, {
    details: { hint: 'Install Python 3 ("apt-get install -y python3"); "fumehood doctor" looks at it.' },
    cause,
  });

function receive(waiting: Map<number, Waiting>, message: Record<string, unknown> | null, handle: unknown): void {
  if (typeof message !== 'object' || message === null) return;
  const id = Number(message.id);
  const one = waiting.get(id);
  if (one === undefined) return;
  if (typeof message.door === 'string' && handle !== undefined) {
    one.handles.set(message.door, handle);
    return;
  }
  waiting.delete(id);
  if (typeof message.error === 'string') one.reject(new Error(`helper: ${message.error}`));
  else one.resolve(message.ok);
}
