/** Sends an OCI image layout as one tar stream: read with the rights of whoever calls, never by the control plane. */
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';
import { counted } from './fetch-files.ts';
import type { EndPhase } from './progress.ts';

const BLOCK = 512;

/** The digest behind a word: itself, or that of the layout at this path, which is sent first. */
export async function digestOf(context: Context, image: string): Promise<string> {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return image;
  return (await sendImage(context, image, undefined)).digest;
}

/** Sends the layout at a path, unless the image is there already. */
export async function sendImage(
  context: Context,
  path: string,
  name: string | undefined,
): Promise<{ digest: string; added: boolean }> {
  const isFolder = look(path).isDirectory();
  const known = isFolder ? await alreadyThere(context, path) : undefined;
  if (known !== undefined) return { ...known, added: false };
  const query = { name: name ?? nameOf(path) };
  const files = isFolder ? filesOf(path) : [];
  const { add, end } = showSending(context, query.name, isFolder ? tarSize(files) : look(path).size);
  const content = counted(isFolder ? Readable.from(tarOf(files)) : createReadStream(path), add);
  try {
    const added = await context.api.upload<{ digest: string; added: boolean }>('PUT', at('images'), {
      query,
      content,
      type: 'application/x-tar',
    });
    end(added.added ? 'done' : 'was there');
    return added;
  } catch (error) {
    end('failed');
    throw error;
  }
}

/** The bytes on their way, and when all are gone what the control plane does with them. */
function showSending({ out }: Context, name: string, totalBytes: number) {
  const sending = out.progress(`Sending the image "${name}"`, totalBytes);
  let sentBytes = 0;
  let checking: EndPhase | undefined;
  return {
    add: (bytes: number): void => {
      sending.add(bytes);
      sentBytes += bytes;
      if (sentBytes < totalBytes || checking !== undefined) return;
      sending.end(out.plain ? undefined : 'done');
      checking = out.phase(`Checking and unpacking the image "${name}"`);
    },
    end: (result: string): void => (checking ?? sending.end)(result),
  };
}

function look(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw new AppError('invalid', `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      details: {
        hint: 'Name the folder of an OCI image layout, a tar of one, or the digest of an image (see "fumehood image list").',
      },
    });
  }
}

/** What the name of the folder makes of a name that lists may show. */
const nameOf = (path: string): string =>
  basename(resolve(path))
    .replace(/\.(tar|oci)$/, '')
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128) || 'image';

/** A layout of a single manifest that was sent before need not be sent again. */
async function alreadyThere(context: Context, folder: string): Promise<{ digest: string } | undefined> {
  try {
    const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
    const digest = manifests.length === 1 ? String(manifests[0].digest) : '';
    const bytes = readFileSync(join(folder, 'blobs', 'sha256', digest.slice('sha256:'.length)));
    if (`sha256:${createHash('sha256').update(bytes).digest('hex')}` !== digest) return undefined;
    return await context.api.send<{ digest: string }>('GET', at('images', digest));
  } catch (error) {
    // What is wrong with the layout the control plane says; what is not there yet is sent.
    if (error instanceof AppError && error.code !== 'not_found') throw error;
    return undefined;
  }
}

type Sent = { file: string; name: string };

function filesOf(folder: string): Sent[] {
  const blobs = join(folder, 'blobs', 'sha256');
  try {
    const names = readdirSync(blobs).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return [
      { file: join(folder, 'index.json'), name: 'index.json' },
      ...names.map((name) => ({ file: join(blobs, name), name: `blobs/sha256/${name}` })),
    ].filter(({ file }) => statSync(file).isFile());
  } catch {
    throw new AppError('invalid', `"${folder}" is not an OCI image layout: it has no index.json or no blobs/sha256.`, {
      details: {
        hint: 'Write one with "skopeo copy docker://IMAGE oci:FOLDER", or "docker buildx build --output type=oci,tar=false,dest=FOLDER".',
      },
    });
  }
}

const blocksOf = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

const tarSize = (files: readonly Sent[]): number =>
  files.reduce((sum, { file }) => sum + BLOCK + blocksOf(statSync(file).size), 2 * BLOCK);

async function* tarOf(files: readonly Sent[]): AsyncGenerator<Buffer> {
  for (const { file, name } of files) {
    const { size } = statSync(file);
    yield header(name, size);
    let sent = 0;
    for await (const chunk of createReadStream(file, { end: Math.max(0, size - 1) })) {
      sent += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (sent !== size) throw new AppError('conflict', `"${file}" changed while it was being sent.`);
    yield Buffer.alloc(blocksOf(size) - size);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** A header of POSIX ustar; sizes beyond its octal digits as GNU tar writes them. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write('0000600\x000000000\x000000000\x00', 100);
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeUIntBE(size, 130, 6);
  }
  block.write('00000000000\0', 136);
  block.write('        0', 148);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
