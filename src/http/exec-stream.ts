/**
 * The frames of a command's streams over a WebSocket, the same on both sides. Each message is binary: one byte of type, then the payload.
 * Data frames spend credit; the receiver gives credit back when it has consumed the bytes, so a slow reader slows the writer
 * on the other side without holding up signals, which are control frames and need none.
 */
import type { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { AppError, ERROR_CODES, type ErrorCode } from '#kernel/errors.ts';
import type { ExecResult } from '#src/drivers/driver.ts';

const TYPES = { control: 0, stdin: 1, stdout: 2, stderr: 3 } as const;
export type StreamName = 'stdin' | 'stdout' | 'stderr';
const STREAMS: readonly (StreamName | undefined)[] = [undefined, 'stdin', 'stdout', 'stderr'];

const WINDOW_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;
const CONTROL_LIMIT_BYTES = 1024 * 1024;

export type ErrorFrame = { code: ErrorCode; message: string; hint: string; requestId: string; decisionId?: string };

export type Control =
  | { type: 'start'; start: unknown }
  | { type: 'started' }
  | { type: 'eof'; stream: StreamName }
  | { type: 'credit'; stream: StreamName; bytes: number }
  | { type: 'signal'; name: string }
  | { type: 'resize'; rows: number; cols: number }
  | { type: 'exit'; result: ExecResult }
  | { type: 'error'; error: ErrorFrame };

export type ExecChannel = {
  /** Sends a control frame. */
  control(message: Control): void;
  /** Sends the whole of a stream, at the pace of the receiver, then its end. Rejects when the channel closes before. */
  send(stream: StreamName, source: Readable): Promise<void>;
  /** Writes what arrives on a stream to `target`, at its pace; `eof` ends it. */
  receive(stream: StreamName, target: Writable): void;
  /** Registers who gets the control frames that the channel does not handle itself; earlier ones are kept for it. */
  onControl(listener: (message: Control) => void): void;
  /** Settles when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  close(): void;
};

type Incoming = { target: Writable | undefined; waiting: Buffer[]; pendingBytes: number; ended: boolean };

/** Opens the frame protocol on a connected socket. A peer that breaks it is cut off. */
export function openChannel(socket: WebSocket): ExecChannel {
  const credit = new Map<StreamName, { bytes: number; wake: (() => void) | undefined }>();
  const incoming = new Map<StreamName, Incoming>();
  const backlog: Control[] = [];
  let listener: ((message: Control) => void) | undefined;
  let open = true;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      open = false;
      for (const one of credit.values()) one.wake?.();
      resolve();
    });
  });
  socket.on('error', () => socket.terminate());

  const creditOf = (stream: StreamName) => {
    const known = credit.get(stream) ?? { bytes: WINDOW_BYTES, wake: undefined };
    credit.set(stream, known);
    return known;
  };
  const incomingOf = (stream: StreamName): Incoming => {
    const known = incoming.get(stream) ?? { target: undefined, waiting: [], pendingBytes: 0, ended: false };
    incoming.set(stream, known);
    return known;
  };
  const control = (message: Control): void => {
    if (open) socket.send(frame(TYPES.control, Buffer.from(JSON.stringify(message))));
  };
  const deliver = (stream: StreamName, into: Incoming, bytes: Buffer): void => {
    const consumed = () => {
      into.pendingBytes -= bytes.length;
      control({ type: 'credit', stream, bytes: bytes.length });
    };
    if (into.target === undefined) into.waiting.push(bytes);
    else if (into.target.writableEnded || into.target.destroyed) consumed();
    else into.target.write(bytes, consumed);
  };
  const onControl = (message: Control): void => {
    if (message.type === 'credit') {
      const known = creditOf(message.stream);
      known.bytes += message.bytes;
      known.wake?.();
    } else if (message.type === 'eof') {
      const into = incomingOf(message.stream);
      into.ended = true;
      if (into.waiting.length === 0) into.target?.end();
    } else if (listener === undefined) backlog.push(message);
    else listener(message);
  };

  socket.on('message', (data, isBinary) => {
    const bytes = data as Buffer;
    const type = bytes[0];
    const stream = STREAMS[type ?? -1];
    if (!isBinary || type === undefined || backlog.length > 64) return socket.close(1002, 'unknown frame');
    if (stream === undefined) {
      const message = type === TYPES.control ? parseControl(bytes.subarray(1)) : undefined;
      return message === undefined ? socket.close(1002, 'unknown frame') : onControl(message);
    }
    const into = incomingOf(stream);
    into.pendingBytes += bytes.length - 1;
    if (into.pendingBytes > WINDOW_BYTES || into.ended) return socket.close(1002, 'more than the window');
    deliver(stream, into, bytes.subarray(1));
  });

  const spend = async (stream: StreamName, wanted: number): Promise<number> => {
    const known = creditOf(stream);
    while (open && known.bytes <= 0) {
      await new Promise<void>((resolve) => {
        known.wake = resolve;
      });
    }
    if (!open) throw new AppError('unavailable', 'The connection to the command was lost.');
    const bytes = Math.min(wanted, known.bytes, CHUNK_BYTES);
    known.bytes -= bytes;
    return bytes;
  };

  return {
    control,
    send: async (stream, source) => {
      for await (const chunk of source) {
        let rest: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
        while (rest.length > 0) {
          const bytes = await spend(stream, rest.length);
          socket.send(frame(TYPES[stream], rest.subarray(0, bytes)));
          rest = rest.subarray(bytes);
        }
      }
      control({ type: 'eof', stream });
    },
    receive: (stream, target) => {
      const into = incomingOf(stream);
      into.target = target;
      target.on('error', () => undefined);
      for (const bytes of into.waiting.splice(0)) deliver(stream, into, bytes);
      if (into.ended) target.end();
    },
    onControl: (next) => {
      listener = next;
      for (const message of backlog.splice(0)) next(message);
    },
    closed,
    close: () => socket.close(1000),
  };
}

const frame = (type: number, payload: Uint8Array): Buffer => Buffer.concat([Buffer.of(type), payload]);

const isStream = (value: unknown): value is StreamName => value === 'stdin' || value === 'stdout' || value === 'stderr';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A control frame of the peer, which may be hostile: typed and bounded, or undefined. */
export function parseControl(bytes: Buffer): Control | undefined {
  if (bytes.length > CONTROL_LIMIT_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const message = value as Record<string, unknown>;
  switch (message.type) {
    case 'start':
      return { type: 'start', start: message.start };
    case 'started':
      return { type: 'started' };
    case 'eof':
      return isStream(message.stream) ? { type: 'eof', stream: message.stream } : undefined;
    case 'credit':
      return isStream(message.stream) && isCount(message.bytes) && message.bytes <= WINDOW_BYTES
        ? { type: 'credit', stream: message.stream, bytes: message.bytes }
        : undefined;
    case 'signal':
      return typeof message.name === 'string' && /^(SIG)?[A-Z0-9]{1,12}$/.test(message.name)
        ? { type: 'signal', name: message.name }
        : undefined;
    case 'resize':
      return isCount(message.rows) && isCount(message.cols) && message.rows <= 10_000 && message.cols <= 10_000
        ? { type: 'resize', rows: message.rows, cols: message.cols }
        : undefined;
    case 'exit':
      return parseExit(message.result);
    case 'error':
      return parseError(message.error);
    default:
      return undefined;
  }
}

function parseExit(value: unknown): Control | undefined {
  const result = value as Partial<ExecResult> | null | undefined;
  if (typeof result !== 'object' || result === null || !Number.isInteger(result.exitCode)) return undefined;
  return {
    type: 'exit',
    result: {
      exitCode: result.exitCode as number,
      ...(typeof result.signal === 'string' ? { signal: result.signal } : {}),
      timedOut: result.timedOut === true,
      truncated: result.truncated === true,
    },
  };
}

function parseError(value: unknown): Control | undefined {
  const error = value as Partial<ErrorFrame> | null | undefined;
  if (typeof error !== 'object' || error === null || typeof error.code !== 'string') return undefined;
  if (!Object.hasOwn(ERROR_CODES, error.code)) return undefined;
  return {
    type: 'error',
    error: {
      code: error.code,
      message: String(error.message ?? ''),
      hint: String(error.hint ?? ''),
      requestId: String(error.requestId ?? ''),
      ...(typeof error.decisionId === 'string' ? { decisionId: error.decisionId } : {}),
    },
  };
}
