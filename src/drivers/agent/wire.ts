/** One connection to an agent: frames with back-pressure in both directions, and one end, however it comes. */
import { connect, type Socket } from 'node:net';
import { AppError } from '#kernel/errors.ts';
import {
  agentFault,
  createFrameReader,
  decodeJson,
  encodeFrame,
  encodeJson,
  FRAME_TYPES,
  type Frame,
} from './frames.ts';

export type WireHandlers = {
  onJson(message: Record<string, unknown>): void;
  /** Bytes of output or error; empty: the end of that stream. False asks to pause until `resume`. */
  onData?(type: number, bytes: Buffer): boolean;
  /** The connection is over, without the operation having ended it itself; all that arrived before was handed over. */
  onEnd(fault: AppError): void;
};

export type Wire = {
  json(value: unknown): void;
  /** Sends input; calls back when more may be sent. */
  input(bytes: Buffer, done: () => void): void;
  resume(): void;
  /** The agent is to say something within the time, or the connection ends with a fault: it must not hold up who waits for it. */
  expect(answerMs: number): void;
  /** Takes that back: it is our own turn. */
  expectNothing(): void;
  /** Ends for good; no handler is called afterwards. */
  close(): void;
};

export type Dial = () => Socket;

/** A dial for a Unix socket on this host. */
export const dialPath =
  (path: string): Dial =>
  () =>
    connect({ path, allowHalfOpen: false });

/** A dial whose first connection can be opened before it is needed. */
export function dialAhead(dial: Dial): { dial: Dial; approach: () => void; leave: () => void } {
  let early: Socket | undefined;
  const take = (): Socket | undefined => {
    const taken = early;
    early = undefined;
    taken?.off('error', ignore);
    return taken;
  };
  return {
    dial: () => {
      const taken = take();
      // What has failed in the meantime fails again, and is then told.
      return taken === undefined || taken.destroyed ? dial() : taken;
    },
    approach: () => {
      early ??= dial().on('error', ignore);
    },
    leave: () => void take()?.on('error', ignore).destroy(),
  };
}

const ignore = (): void => undefined;

/** Opens a connection, sends the request and hands over what comes. */
export function openWire(dial: Dial, request: Record<string, unknown>, handlers: WireHandlers): Wire {
  const socket = dial();
  const readFrames = createFrameReader();
  let over = false;
  let gone: AppError | undefined;
  let silence: NodeJS.Timeout | undefined;
  const queued: Frame[] = [];
  let paused = false;
  const end = (fault: AppError): void => {
    if (over) return;
    over = true;
    clearTimeout(silence);
    socket.destroy();
    handlers.onEnd(fault);
  };
  const drain = (): void => {
    while (!paused && !over) {
      const frame = queued.shift();
      if (frame === undefined) break;
      if (frame.type === FRAME_TYPES.json) handlers.onJson(decodeJson(frame.payload));
      else if (handlers.onData === undefined) throw agentFault('bytes where none are due');
      else paused = !handlers.onData(frame.type, frame.payload);
    }
    if (over || paused) return;
    if (gone === undefined) socket.resume();
    else end(gone);
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      end(error instanceof AppError ? error : agentFault('an answer that makes no sense', error));
    }
  };
  socket.on('data', (chunk: Buffer) =>
    guarded(() => {
      clearTimeout(silence);
      queued.push(...readFrames(chunk));
      drain();
      if (paused) socket.pause();
    }),
  );
  // What waits here for its reader is still theirs when the agent has closed.
  const lose = (fault: AppError): void => {
    gone ??= fault;
    guarded(drain);
  };
  socket.on('error', (error) => lose(goneError(error)));
  socket.on('close', () => lose(goneError()));
  socket.write(encodeJson(request));
  return {
    json: (value) => void (over || socket.write(encodeJson(value))),
    input: (bytes, done) => {
      if (over) return done();
      sendInput(socket, bytes, done);
    },
    resume: () => {
      if (!paused) return;
      paused = false;
      guarded(drain);
    },
    expect: (answerMs) => {
      clearTimeout(silence);
      if (!over) silence = setTimeout(() => end(silentError()), answerMs);
    },
    expectNothing: () => clearTimeout(silence),
    close: () => {
      over = true;
      clearTimeout(silence);
      socket.destroy();
    },
  };
}

export const silentError = (): AppError => new AppError('timeout', "The sandbox's agent did not answer in time.");

const INPUT_CHUNK_BYTES = 128 * 1024;

function sendInput(socket: Socket, bytes: Buffer, done: () => void): void {
  if (bytes.length === 0) {
    socket.write(encodeFrame(FRAME_TYPES.input, bytes), () => done());
    return;
  }
  let left = Math.ceil(bytes.length / INPUT_CHUNK_BYTES);
  for (let at = 0; at < bytes.length; at += INPUT_CHUNK_BYTES) {
    socket.write(encodeFrame(FRAME_TYPES.input, bytes.subarray(at, at + INPUT_CHUNK_BYTES)), () => {
      left -= 1;
      if (left === 0) done();
    });
  }
}

const goneError = (cause?: unknown): AppError =>
  new AppError('unavailable', 'The sandbox ended, or its agent does not answer.', {
    details: { hint: 'See "fumehood sandbox get" for its state.' },
    ...(cause === undefined ? {} : { cause }),
  });
