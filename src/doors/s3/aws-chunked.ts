/** The content coding `aws-chunked`: chunks with optional signatures, and trailers. */
import { createHash } from 'node:crypto';
import { wireError } from './s3-error.ts';

/** Checks the chain of signatures; absent for unsigned chunks and in sandboxes for unknown keys. */
export type ChunkSigning = {
  chunk(sha256Hex: string, signature: string): void;
  trailer(sha256Hex: string, signature: string): void;
};

type Options = {
  signing: ChunkSigning | undefined;
  /** Called once, after the last chunk, with lower-case names. */
  onTrailers: (trailers: Map<string, string>) => void;
};

const LARGEST_LINE_BYTES = 8 * 1024;
const LARGEST_TRAILER_LINES = 32;
const HEAD = /^([0-9a-fA-F]{1,14})(?:;chunk-signature=([0-9a-f]{64}))?$/;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** Decodes a body as it streams; throws IncompleteBody, InvalidRequest, MalformedTrailerError or what `signing` throws. */
export async function* decodeAwsChunked(
  source: AsyncIterable<Uint8Array>,
  options: Options,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = readerOf(source);
  for (;;) {
    const head = HEAD.exec(await reader.line());
    if (head === null) throw wireError('InvalidRequest', 'A chunk of the body does not begin with its size.');
    const size = Number.parseInt(head[1] ?? '', 16);
    const signature = head[2] ?? '';
    if (size === 0) {
      options.signing?.chunk(EMPTY_SHA256, signature);
      break;
    }
    const hash = options.signing === undefined ? undefined : createHash('sha256');
    for (let left = size; left > 0; ) {
      const part = await reader.some(left);
      left -= part.length;
      hash?.update(part);
      yield part;
    }
    if (hash !== undefined) options.signing?.chunk(hash.digest('hex'), signature);
    if ((await reader.line()) !== '') throw wireError('InvalidRequest', 'A chunk of the body is longer than its size.');
  }
  options.onTrailers(await readTrailers(reader, options.signing));
}

type LineReader = { line(): Promise<string>; some(most: number): Promise<Uint8Array>; ended(): Promise<boolean> };

async function readTrailers(reader: LineReader, signing: ChunkSigning | undefined): Promise<Map<string, string>> {
  const trailers = new Map<string, string>();
  let signed = '';
  while (!(await reader.ended())) {
    const line = await reader.line();
    if (line === '') continue;
    const at = line.indexOf(':');
    if (at < 1 || trailers.size >= LARGEST_TRAILER_LINES) {
      throw wireError('MalformedTrailerError', 'The trailer of the body cannot be read.');
    }
    const name = line.slice(0, at).trim().toLowerCase();
    const value = line.slice(at + 1).trim();
    trailers.set(name, value);
    if (name !== 'x-amz-trailer-signature') signed += `${name}:${value}\n`;
  }
  const signature = trailers.get('x-amz-trailer-signature');
  if (signing !== undefined && signed !== '') {
    signing.trailer(createHash('sha256').update(signed).digest('hex'), signature ?? '');
  }
  return trailers;
}

function readerOf(source: AsyncIterable<Uint8Array>): LineReader {
  const chunks = source[Symbol.asyncIterator]();
  let buffer: Uint8Array = new Uint8Array(0);
  const pull = async (): Promise<boolean> => {
    const { done, value } = await chunks.next();
    if (done === true) return false;
    buffer = buffer.length === 0 ? value : Buffer.concat([buffer, value]);
    return true;
  };
  const cut = () => wireError('IncompleteBody', 'The body ends in the middle of a chunk.');
  return {
    ended: async () => {
      while (buffer.length === 0) if (!(await pull())) return true;
      return false;
    },
    line: async () => {
      let at = buffer.indexOf(10);
      while (at < 0) {
        if (buffer.length > LARGEST_LINE_BYTES) throw wireError('InvalidRequest', 'A line of the body is too long.');
        if (!(await pull())) throw cut();
        at = buffer.indexOf(10);
      }
      const text = Buffer.from(buffer.subarray(0, at)).toString('latin1');
      buffer = buffer.subarray(at + 1);
      return text.endsWith('\r') ? text.slice(0, -1) : text;
    },
    some: async (most) => {
      while (buffer.length === 0) if (!(await pull())) throw cut();
      const part = buffer.subarray(0, most);
      buffer = buffer.subarray(part.length);
      return part;
    },
  };
}
