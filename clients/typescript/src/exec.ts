/** A command in a sandbox over a WebSocket: one byte of type, then the payload; data spends credit that the receiver gives back. */
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { errorOf, FumehoodError } from './errors.ts';

export type ExecResult = { exitCode: number; signal?: string; timedOut: boolean; truncated: boolean };

export type ExecOptions = {
  onStdout?: (bytes: Uint8Array) => void;
  onStderr?: (bytes: Uint8Array) => void;
  /** Given to the command before its input ends; with `true` the input stays open for `write`. */
  stdin?: Uint8Array | string | true;
  /** Ends the command. */
  signal?: AbortSignal;
};

export type Exec = {
  /** How it ended; rejects when it was not started or the connection was lost. */
  readonly result: Promise<ExecResult>;
  write(bytes: Uint8Array | string): Promise<void>;
  end(): void;
  kill(signal?: string): void;
  /** Lets go of the command, which ends it. */
  close(): void;
};

const TYPES = { control: 0, stdin: 1, stdout: 2, stderr: 3 } as const;
const WINDOW_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;

type Control = {
  type?: string;
  stream?: string;
  bytes?: number;
  result?: ExecResult;
  error?: unknown;
};

/** Opens the stream and starts; resolves when the command runs. */
export async function openExec(
  url: string,
  headers: Record<string, string>,
  start: unknown,
  options: ExecOptions = {},
): Promise<Exec> {
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  const result = Promise.withResolvers<ExecResult>();
  const started = Promise.withResolvers<void>();
  result.promise.catch(() => undefined);
  let credit = WINDOW_BYTES;
  let wake: () => void = () => undefined;
  let over = false;

  const fail = (error: FumehoodError): void => {
    over = true;
    started.reject(error);
    result.reject(error);
    wake();
    socket.terminate();
  };
  const control = (message: Control & { start?: unknown; name?: string }): void => {
    if (socket.readyState === WebSocket.OPEN)
      socket.send(Buffer.concat([Buffer.of(TYPES.control), Buffer.from(JSON.stringify(message))]));
  };
  const onControl = (message: Control): void => {
    if (message.type === 'started') started.resolve();
    else if (message.type === 'credit') {
      credit += message.bytes ?? 0;
      wake();
    } else if (message.type === 'error') fail(errorOf(message.error));
    else if (message.type === 'exit' && message.result !== undefined) {
      over = true;
      result.resolve(message.result);
      wake();
    }
  };
  const onData = (stream: 'stdout' | 'stderr', bytes: Buffer): void => {
    (stream === 'stdout' ? options.onStdout : options.onStderr)?.(bytes);
    control({ type: 'credit', stream, bytes: bytes.length });
  };

  socket.on('open', () => control({ type: 'start', start }));
  socket.on('message', (data: Buffer) => {
    const payload = data.subarray(1);
    if (data[0] === TYPES.stdout) onData('stdout', payload);
    else if (data[0] === TYPES.stderr) onData('stderr', payload);
    else if (data[0] === TYPES.control) onControl(JSON.parse(payload.toString('utf8')) as Control);
  });
  socket.on('unexpected-response', (_request, answer) => void refusalOf(answer).then(fail));
  socket.on('error', (cause) => fail(new FumehoodError({ code: 'unavailable', message: cause.message, cause })));
  socket.on('close', () => {
    if (!over) fail(new FumehoodError({ code: 'unavailable', message: 'The connection to the command was lost.' }));
  });

  const exec: Exec = {
    result: result.promise,
    write: async (bytes) => {
      let rest = Buffer.from(bytes);
      while (rest.length > 0) {
        while (credit <= 0 && !over) await new Promise<void>((resolve) => (wake = resolve));
        if (over) throw new FumehoodError({ code: 'unavailable', message: 'The command has ended; it reads no more.' });
        const size = Math.min(rest.length, credit, CHUNK_BYTES);
        credit -= size;
        socket.send(Buffer.concat([Buffer.of(TYPES.stdin), rest.subarray(0, size)]));
        rest = rest.subarray(size);
      }
    },
    end: () => control({ type: 'eof', stream: 'stdin' }),
    kill: (name = 'KILL') => control({ type: 'signal', name }),
    close: () => socket.close(1000),
  };
  options.signal?.addEventListener('abort', () => exec.kill(), { once: true });
  await started.promise;
  if (options.stdin === true) return exec;
  if (options.stdin !== undefined) await exec.write(options.stdin);
  exec.end();
  return exec;
}

async function refusalOf(answer: IncomingMessage): Promise<FumehoodError> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  try {
    return errorOf(JSON.parse(Buffer.concat(chunks).toString('utf8')), answer.statusCode);
  } catch {
    return errorOf(undefined, answer.statusCode);
  }
}
