/**
 * Reads a tar stream (POSIX ustar and pax, and the long names of GNU tar) as hostile input: nothing is trusted to be short, whole or
 * well-formed, and what is not understood is refused.
 */
import { AppError } from '#kernel/errors.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';

export type TarKind = 'file' | 'folder' | 'symlink' | 'hardlink' | 'device' | 'fifo';

/** One entry. `content` must be read before the next entry is asked for, or it is skipped. */
export type TarEntry = {
  name: string;
  kind: TarKind;
  /** Where a link points to; empty for the rest. */
  linkName: string;
  sizeBytes: number;
  executable: boolean;
  modifiedSeconds: number;
  content: AsyncIterable<Buffer>;
};

const BLOCK = 512;
const LONGEST_EXTENSION = 1024 * 1024;
const LATEST_SECONDS = 2 ** 32 - 1;
const KINDS: Readonly<Record<string, TarKind>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'fifo',
};
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** What a tar file must not be; says what was found. */
export const badTar = (what: string): AppError =>
  new AppError('invalid', `The archive cannot be used: ${what}.`, {
    details: { hint: 'Make it anew, with a current docker, podman, buildah or skopeo.' },
  });

/** Entries in order; reads the source to its end, so that a digest over it is whole. Throws `invalid`. */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const reader = createByteReader(source, () => badTar('it ends too early'));
  let extension: Extension = {};
  for (;;) {
    const block = await reader.takeOrEnd(BLOCK);
    if (block === undefined || block.every((byte) => byte === 0)) break;
    const header = parseHeader(block);
    const { type } = header;
    if (type === 'x' || type === 'L' || type === 'K') {
      Object.assign(extension, extensionOf(type, await takeExtension(reader, header.sizeBytes)));
    } else if (type === 'g') {
      if (Object.keys(paxOf(await takeExtension(reader, header.sizeBytes))).length > 0)
        throw badTar('it changes names or sizes for all of its entries');
    } else {
      yield* entry(reader, header, extension);
      extension = {};
    }
  }
  await reader.drain();
}

type Header = Omit<TarEntry, 'content' | 'kind'> & { type: string };
type Extension = { name?: string; linkName?: string; sizeBytes?: number; modifiedSeconds?: number };

async function* entry(reader: ByteReader, header: Header, extension: Extension): AsyncGenerator<TarEntry> {
  const { type, ...plain } = header;
  const kind = KINDS[type];
  if (kind === undefined) throw badTar(`an entry has the type "${printable(type)}"`);
  const { name, linkName, sizeBytes, ...rest } = { ...plain, ...extension };
  const isFolder = kind === 'file' && name.endsWith('/');
  // Only files have content; some writers give their links the size of the target.
  const size = kind === 'file' && !isFolder ? sizeBytes : 0;
  let left = size;
  const content = (async function* () {
    while (left > 0) {
      const chunk = await reader.takeSome(left);
      left -= chunk.length;
      yield chunk;
    }
  })();
  yield { ...rest, name, linkName, kind: isFolder ? 'folder' : kind, sizeBytes: size, content };
  await reader.skip(left + padding(size));
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
const printable = (value: string): string => value.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);

function parseHeader(block: Buffer): Header {
  const sum = block.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (numberAt(block, 148, 8) !== sum) throw badTar('a header has a wrong checksum');
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return {
    type: block.toString('latin1', 156, 157),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: textAt(block, 157, 100),
    sizeBytes: numberAt(block, 124, 12),
    executable: (numberAt(block, 100, 8) & 0o111) !== 0,
    modifiedSeconds: Math.min(numberAt(block, 136, 12), LATEST_SECONDS),
  };
}

function textAt(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return decode(end === -1 ? field : field.subarray(0, end));
}

function decode(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw badTar('a name is not UTF-8');
  }
}

/** Octal text, or big-endian bytes where the first bit is set. */
function numberAt(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    if ((field[0] ?? 0) !== 0x80 || field.subarray(1, length - 6).some((byte) => byte !== 0))
      throw badTar('a number is out of range');
    return field.readUIntBE(length - 6, 6);
  }
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]*$/.test(text)) throw badTar('a number is not octal');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

async function takeExtension(reader: ByteReader, sizeBytes: number): Promise<Buffer> {
  if (sizeBytes > LONGEST_EXTENSION) throw badTar('an extended header is too long');
  const data = await reader.take(sizeBytes);
  await reader.skip(padding(sizeBytes));
  return data;
}

function extensionOf(type: string, data: Buffer): Extension {
  if (type === 'x') return paxOf(data);
  const end = data.indexOf(0);
  const text = decode(end === -1 ? data : data.subarray(0, end));
  return type === 'L' ? { name: text } : { linkName: text };
}

/** The records of a pax header that matter here; what is not about names, sizes and times (owners, extended attributes) is dropped. */
function paxOf(data: Buffer): Extension {
  const found: Extension = {};
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = data.toString('latin1', at, space);
    const length = Number(digits);
    if (space < 0 || !/^\d{1,7}$/.test(digits) || length <= digits.length + 2 || at + length > data.length)
      throw badTar('an extended header is broken');
    const record = data.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (equals < 1 || data[at + length - 1] !== 0x0a) throw badTar('an extended header is broken');
    Object.assign(found, recordOf(record.toString('latin1', 0, equals), record.subarray(equals + 1)));
    at += length;
  }
  return found;
}

function recordOf(key: string, value: Buffer): Extension {
  if (key.startsWith('GNU.sparse.')) throw badTar('it holds sparse files');
  if (key === 'path') return { name: withoutNul(decode(value)) };
  if (key === 'linkpath') return { linkName: withoutNul(decode(value)) };
  if (key === 'size') return { sizeBytes: wholeNumber(value.toString('latin1')) };
  if (key === 'mtime')
    return {
      modifiedSeconds: Math.min(Math.max(0, Math.floor(Number(value.toString('latin1')) || 0)), LATEST_SECONDS),
    };
  return {};
}

function withoutNul(text: string): string {
  if (text.includes('\0')) throw badTar('a name holds a NUL');
  return text;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw badTar('a size is out of range');
  return value;
}
