/** The helper's end in Node: requests over the IPC channel, listening sockets as native handles. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

type Waiting = { resolve: (value: unknown) => void; reject: (error: unknown) => void; handles: Map<string, unknown> };

export type Helper = {
  /** Asks for one thing; `handles` are the listening sockets that came with the answer, by door. */
  ask(op: string, request: Record<string, unknown>): Promise<{ ok: unknown; handles: Map<string, unknown> }>;
  close(): void;
};

/** Starts the helper; when it dies, what was asked fails and the next request starts it anew. Sockets that were handed over stay open. */
export function createHelper(deps: { pythonDir: string; python: string; log: (message: string) => void }): Helper {
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
    started.on('message', (message: Record<string, unknown>, handle: unknown) => receive(waiting, message, handle));
    const lost = (): void => {
      if (child === started) child = undefined;
      for (const one of waiting.values()) one.reject(new AppError('unavailable', 'The network helper ended.'));
      waiting.clear();
    };
    started.on('error', lost);
    started.on('exit', lost);
    return started;
  };

  return {
    ask: (op, request) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new AppError('unavailable', 'The driver is closed.'));
        child ??= start();
        next += 1;
        const handles = new Map<string, unknown>();
        waiting.set(next, { resolve: (ok) => resolve({ ok, handles }), reject, handles });
        child.send({ ...request, id: next, op });
      }),
    close: () => {
      closed = true;
      child?.disconnect();
      child?.kill();
    },
  };
}

function receive(waiting: Map<number, Waiting>, message: Record<string, unknown>, handle: unknown): void {
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
