/** Tar files of plain files (POSIX.1-1988 ustar; sizes above 8 GiB in base 256, as GNU tar writes them). */
import { AppError } from '#kernel/errors.ts';

const BLOCK = 512;
const NAME_BYTES = 100;
const LARGEST_OCTAL = 8 ** 11;

/** The end of a tar file. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** The head of one file; its bytes follow, then `padding`. */
export function tarHead(path: string, sizeBytes: number, mtimeMs: number): Buffer {
  if (Buffer.byteLength(path) >= NAME_BYTES) throw new AppError('internal', `"${path}" is too long for a tar file.`);
  const head = Buffer.alloc(BLOCK);
  head.write(path, 0);
  head.write('0000600\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  if (sizeBytes < LARGEST_OCTAL) head.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    head[124] = 0x80;
    head.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  head.write(
    `${Math.floor(mtimeMs / 1000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  );
  head.write('0', 156);
  head.write('ustar\x0000', 257);
  head.write(`${checksum(head).toString(8).padStart(6, '0')}\0 `, 148);
  return head;
}

/** The zeros after a file of this size. */
export const padding = (sizeBytes: number): Buffer => Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);

const checksum = (head: Buffer): number =>
  head.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);

export type TarFile = { path: string; sizeBytes: number; content: AsyncGenerator<Buffer, void, undefined> };

/** The files of a tar stream, in order. Each content is read to its end before the next is given. Throws `integrity`. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const input = createInput(source);
  for (;;) {
    const head = await input.exactly(BLOCK);
    if (head.every((byte) => byte === 0)) return;
    const { path, sizeBytes } = parseHead(head);
    let left = sizeBytes;
    const content = (async function* () {
      while (left > 0) {
        const bytes = await input.atMost(left);
        left -= bytes.length;
        yield bytes;
      }
    })();
    yield { path, sizeBytes, content };
    for await (const _ of content);
    await input.exactly(padding(sizeBytes).length);
  }
}

function parseHead(head: Buffer): { path: string; sizeBytes: number } {
  const text = (from: number, length: number): string =>
    head
      .subarray(from, from + length)
      .toString('latin1')
      .replace(/\0.*$/s, '')
      .trim();
  if (Number.parseInt(text(148, 8), 8) !== checksum(head)) throw notTar('a head does not have its checksum');
  if (text(156, 1) !== '0' || text(345, 155) !== '') throw notTar('it holds something that is no plain file');
  const sizeBytes = head[124] === 0x80 ? Number(head.readBigUInt64BE(128)) : Number.parseInt(text(124, 12), 8);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw notTar('a size cannot be read');
  return { path: text(0, NAME_BYTES), sizeBytes };
}

/** Exactly so many bytes, or what there is of them, out of chunks of any size. */
function createInput(source: AsyncIterable<Uint8Array>) {
  const chunks = source[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  const fill = async (): Promise<void> => {
    while (rest.length === 0) {
      const next = await chunks.next();
      if (next.done === true) throw notTar('it ends in the middle');
      rest = Buffer.from(next.value);
    }
  };
  const atMost = async (bytes: number): Promise<Buffer> => {
    await fill();
    const taken = rest.subarray(0, bytes);
    rest = rest.subarray(taken.length);
    return taken;
  };
  return {
    atMost,
    exactly: async (bytes: number): Promise<Buffer> => {
      const parts: Buffer[] = [];
      for (let left = bytes; left > 0; ) {
        const part = await atMost(left);
        left -= part.length;
        parts.push(part);
      }
      return Buffer.concat(parts);
    },
  };
}

const notTar = (what: string): AppError =>
  new AppError('integrity', `The file is no whole tar file: ${what}.`, {
    details: { hint: 'Use another copy of it: this one was cut or changed.' },
  });
