/** From the blobs of a layout to a root: layer over layer, each checked against the digest of its bytes and that of its content. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { UnpackBudget } from './budget.ts';
import { blobPath, type Compression, type Layer, type LayoutImage } from './oci-layout.ts';
import { badImage } from './root-path.ts';
import { readTar } from './tar.ts';
import { unpackLayer } from './unpack-layer.ts';

/** Unpacks into `root`, which must not be there yet. Throws `invalid`, `too_large`. */
export async function unpackImage(
  layout: string,
  image: LayoutImage,
  root: string,
  budget: UnpackBudget,
): Promise<void> {
  await mkdir(root, { mode: 0o755 });
  for (const layer of image.layers) {
    const { content, digest } = openLayer(layout, layer, budget);
    await unpackLayer(root, readTar(content), budget);
    if (digest() !== layer.diffId)
      throw badImage(`the content of layer ${layer.digest} is not what the configuration says`);
  }
}

type Opened = { content: AsyncIterable<Buffer>; digest: () => string };

function openLayer(layout: string, layer: Layer, budget: UnpackBudget): Opened {
  const hash = createHash('sha256');
  const packed = createReadStream(blobPath(layout, layer.digest));
  const content = (async function* () {
    try {
      for await (const chunk of decompressed(packed, layer.compression)) {
        budget.bytes(chunk.length);
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw broken(layer, error);
    } finally {
      packed.destroy();
    }
  })();
  return { content, digest: () => `sha256:${hash.digest('hex')}` };
}

function decompressed(packed: Readable, compression: Compression): AsyncIterable<Buffer> {
  if (compression === 'none') return packed;
  return packed.compose<Readable>(compression === 'gzip' ? createGunzip() : createZstdDecompress());
}

/** The reason of a failed decompression or a missing blob, in words; anything else as it is. */
function broken(layer: Layer, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return badImage(`the content of ${layer.digest} is not in it`);
  return /^(Z_|ZSTD_|ERR_)/.test(code) ? badImage(`layer ${layer.digest} cannot be decompressed`) : error;
}
