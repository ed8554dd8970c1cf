/** File operations through the agent. Names and numbers that come back are bounded and typed. */
import { Readable } from 'node:stream';
import type { AppError } from '#kernel/errors.ts';
import type { FileChange, FileInfo, Files, FileWatch } from '../driver.ts';
import { reportedError } from './exec.ts';
import { agentFault } from './frames.ts';
import { type Dial, openWire, silentError, type Wire } from './wire.ts';

export const SILENCE_MS = 60_000;
const MOST_ENTRIES = 100_000;
/** Of all names of a folder together. */
const LONGEST_NAMES = 16 * 1024 * 1024;

export function createFiles(dial: Dial, silenceMs: number): Files {
  return {
    read: (path) => readFile(dial, path, silenceMs),
    write: (path, content, options) => writeFile(dial, { path, mode: options?.mode }, content, silenceMs),
    list: (path) => listFolder(dial, path, silenceMs),
    stat: async (path) => fileInfo(await ask(dial, { op: 'stat', path }, { silenceMs })),
    remove: async (path, options) =>
      void (await ask(dial, { op: 'remove', path, recursive: options?.recursive === true }, { silenceMs })),
    makeDirectory: async (path) => void (await ask(dial, { op: 'mkdir', path }, { silenceMs })),
    watch: (path, watch) => watchFolder(dial, path, watch, silenceMs),
  };
}

/** One request, one answer: what stands under `ok`. */
export function ask(
  dial: Dial,
  request: Record<string, unknown>,
  options: { onPart?: (part: unknown) => void; silenceMs?: number } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      wire.close();
      act();
    };
    const timer = setTimeout(() => finish(() => reject(silentError())), options.silenceMs ?? SILENCE_MS);
    const wire: Wire = openWire(dial, request, {
      onEnd: (fault) => finish(() => reject(fault)),
      onJson: (message) => {
        if ('part' in message) options.onPart?.(message.part);
        else if ('ok' in message) finish(() => resolve(message.ok));
        else if ('error' in message) finish(() => reject(reportedError(message.error)));
        else throw agentFault('an answer out of turn');
      },
    });
  });
}

const KINDS: ReadonlySet<unknown> = new Set(['file', 'directory', 'symlink', 'other']);

function fileInfo(value: unknown): FileInfo {
  const { name, kind, sizeBytes, mode, modifiedMs } =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const whole = (number: unknown): number => {
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw agentFault('a file that cannot be');
    return number;
  };
  if (typeof name !== 'string' || name.length > 4096 || !KINDS.has(kind)) throw agentFault('a file that cannot be');
  return {
    name,
    kind: kind as FileInfo['kind'],
    sizeBytes: Math.max(0, whole(sizeBytes)),
    mode: whole(mode) & 0o7777,
    modifiedMs: whole(modifiedMs),
  };
}

async function listFolder(dial: Dial, path: string, silenceMs: number): Promise<FileInfo[]> {
  const infos: FileInfo[] = [];
  let names = 0;
  const onPart = (part: unknown): void => {
    if (!Array.isArray(part) || infos.length + part.length > MOST_ENTRIES) throw agentFault('a list that is too long');
    const more = part.map(fileInfo);
    names += more.reduce((sum, { name }) => sum + name.length, 0);
    if (names > LONGEST_NAMES) throw agentFault('a list that is too long');
    infos.push(...more);
  };
  await ask(dial, { op: 'list', path }, { onPart, silenceMs });
  return infos;
}

function readFile(dial: Dial, path: string, silenceMs: number): Promise<Readable> {
  return new Promise((resolve, reject) => {
    let opened = false;
    let ended = false;
    const content = new Readable({
      read: () => wire.resume(),
      destroy: (error, done) => {
        wire.close();
        done(error);
      },
      highWaterMark: 256 * 1024,
    });
    // A fault may come with the first bytes, before anybody can listen: it must not end the process.
    content.on('error', () => undefined);
    const open = (): void => {
      if (!opened) resolve(content);
      opened = true;
    };
    const fail = (fault: AppError): void => {
      if (ended) return;
      ended = true;
      if (opened) content.destroy(fault);
      else reject(fault);
    };
    const wire: Wire = openWire(
      dial,
      { op: 'read', path },
      {
        onData: (_type, bytes) => {
          open();
          if (bytes.length > 0) return content.push(bytes);
          ended = true;
          content.push(null);
          return true;
        },
        onJson: (message) => {
          if ('error' in message) fail(reportedError(message.error));
          else if (message.ok !== true || !ended) throw agentFault('an answer out of turn');
        },
        onEnd: fail,
      },
    );
    wire.expect(silenceMs);
  });
}

function writeFile(
  dial: Dial,
  target: { path: string; mode: number | undefined },
  content: Readable,
  silenceMs: number,
): Promise<{ sizeBytes: number }> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      wire.close();
      act();
    };
    const wire: Wire = openWire(
      dial,
      { op: 'write', ...target },
      {
        onEnd: (fault) => finish(() => reject(fault)),
        onJson: (message) => {
          if (message.ready === true) void pump(content, { wire, silenceMs }, (error) => finish(() => reject(error)));
          else if ('error' in message) finish(() => reject(reportedError(message.error)));
          else if (typeof message.ok === 'object' && message.ok !== null) {
            const { sizeBytes } = message.ok as Record<string, unknown>;
            if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes))
              throw agentFault('a size that cannot be');
            finish(() => resolve({ sizeBytes }));
          } else throw agentFault('an answer out of turn');
        },
      },
    );
    wire.expect(silenceMs);
  });
}

type Sink = { wire: Wire; silenceMs: number };

/** Sends a stream; when it breaks, the half file is given up with the connection. */
async function pump(content: Readable, { wire, silenceMs }: Sink, onError: (error: unknown) => void): Promise<void> {
  try {
    for await (const chunk of content) {
      wire.expect(silenceMs);
      await new Promise<void>((done) => wire.input(chunk as Buffer, done));
      wire.expectNothing();
    }
    wire.input(Buffer.alloc(0), () => undefined);
    wire.expect(silenceMs);
  } catch (error) {
    onError(error);
  }
}

function watchFolder(dial: Dial, path: string, watch: FileWatch, silenceMs: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    let ready = false;
    const wire: Wire = openWire(
      dial,
      { op: 'watch', path },
      {
        onEnd: (fault) => (ready ? watch.onEnd() : reject(fault)),
        onJson: (message) => {
          if (message.ready === true && !ready) {
            ready = true;
            resolve(() => wire.close());
          } else if ('error' in message) throw reportedError(message.error);
          else if (ready) watch.onChange(fileChange(message.change));
          else throw agentFault('a change before its time');
        },
      },
    );
    wire.expect(silenceMs);
  });
}

const CHANGES: ReadonlySet<unknown> = new Set<FileChange['kind']>(['created', 'modified', 'deleted', 'missed']);

function fileChange(value: unknown): FileChange {
  const { path, kind } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (typeof path !== 'string' || path.length > 8192 || !CHANGES.has(kind)) throw agentFault('a change that cannot be');
  return { path, kind: kind as FileChange['kind'] };
}
