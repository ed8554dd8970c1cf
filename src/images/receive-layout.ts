/** Takes an image layout in as one tar stream: only its documents and blobs, each blob checked against the digest that is its name. */
import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { formatBytes } from '#kernel/quantities.ts';
import { badImage, partsOf } from './root-path.ts';
import { readTar, type TarEntry } from './tar.ts';

const LARGEST_INDEX_BYTES = 4 * 1024 * 1024;
const MOST_BLOBS = 4096;

/** Fills the folder (which must be empty) with `index.json` and `blobs/sha256/…`. Throws `invalid`, `too_large`. */
export async function receiveLayout(folder: string, body: AsyncIterable<Buffer>, mostBytes: number): Promise<void> {
  await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true, mode: 0o700 });
  let [blobs, hasIndex] = [0, false];
  for await (const entry of readTar(counted(body, mostBytes))) {
    const [top, ...below] = partsOf(entry.name);
    if (entry.kind === 'folder') continue;
    if (top === 'index.json' && below.length === 0) {
      if (entry.sizeBytes > LARGEST_INDEX_BYTES) throw badImage('its index is too large');
      await take(join(folder, 'index.json'), entry);
      hasIndex = true;
    } else if (top === 'blobs') {
      blobs += 1;
      if (blobs > MOST_BLOBS) throw badImage(`it holds more than ${MOST_BLOBS} blobs`);
      await takeBlob(folder, below, entry);
    }
  }
  if (!hasIndex)
    throw badImage(
      'there is no index.json in it',
      'Give the folder of an OCI image layout, as "skopeo copy … oci:DIR" writes it, or a tar of one.',
    );
}

async function* counted(body: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > mostBytes)
      throw new AppError('too_large', `The image is larger than ${formatBytes(mostBytes)}.`, {
        details: { hint: 'Use a smaller image, or ask an operator to raise images.maxSize.' },
      });
    yield chunk;
  }
}

async function takeBlob(folder: string, below: string[], entry: TarEntry): Promise<void> {
  const [algorithm, hex = '', ...more] = below;
  if (algorithm !== 'sha256' || !/^[0-9a-f]{64}$/.test(hex) || more.length > 0)
    throw badImage('a blob is not named by a sha256 digest');
  const digest = await take(join(folder, 'blobs', 'sha256', hex), entry);
  if (digest !== hex) throw badImage(`the content of sha256:${hex} has another digest (sha256:${digest})`);
}

/** Writes one regular file; resolves with its sha256. */
async function take(path: string, entry: TarEntry): Promise<string> {
  if (entry.kind !== 'file') throw badImage('something in it is neither a file nor a folder');
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? badImage('the same blob is in it twice') : error;
  });
  try {
    for await (const chunk of entry.content) {
      hash.update(chunk);
      await file.writev([chunk]);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
