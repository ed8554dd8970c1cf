import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import { formatBytes } from '#kernel/quantities.ts';
import { type Api, at } from './api-client.ts';
import type { Context } from './command.ts';
import { counted, fetchFiles, listFiles, WIDE_LIMITS } from './fetch-files.ts';

type Place = { id: string; path: string };
type Copied = { files: number; bytes: number };

/** `ID:PATH`; a path with a slash before the colon, or without one, is local. */
function placeOf(word: string): Place | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9-]*):(.*)$/s.exec(word);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { id: match[1], path: match[2].startsWith('/') ? match[2] : posix.join('/workspace', match[2]) };
}

/** `sandbox cp`: into or out of a sandbox, folders with all that is in them; `-` is standard input or output. */
export async function copy(context: Context): Promise<undefined> {
  const [source, target] = [context.arg('SRC'), context.arg('DST')];
  const [from, to] = [placeOf(source), placeOf(target)];
  if (from !== undefined && target === '-') return copyToOutput(context, from);
  const copied = await between(context, { source, from, target, to });
  context.out.text(`copied ${copied.files} file(s), ${formatBytes(copied.bytes)}`, copied);
  return undefined;
}

type Ends = { source: string; from: Place | undefined; target: string; to: Place | undefined };

async function between(context: Context, { source, from, target, to }: Ends): Promise<Copied> {
  if (from === undefined && to !== undefined) {
    if (source === '-') return copyFromInput(context, to);
    return copyIn(context, source, await intoFolder(context.api, to, source));
  }
  if (from !== undefined && to === undefined) return copyOut(context, from, target);
  throw new AppError(
    'invalid',
    from === undefined
      ? `Neither "${source}" nor "${target}" is in a sandbox.`
      : `Both "${source}" and "${target}" are in a sandbox.`,
    {
      details: {
        hint:
          from === undefined
            ? 'Write the one in the sandbox as ID:PATH, such as first:/workspace/train.py.'
            : 'Copy out first, or through a pipe: fumehood sandbox cp A:PATH - | fumehood sandbox cp - B:PATH. A local name with a colon is written ./NAME.',
      },
    },
  );
}

/** One file to standard output, as it is and nothing else. */
async function copyToOutput(context: Context, from: Place): Promise<undefined> {
  if (context.out.json)
    throw new AppError('invalid', '--json and the content of a file cannot both go to standard output.', {
      details: { hint: 'Leave --json out, or name a file instead of -.' },
    });
  if (await folderIn(context.api, from))
    throw new AppError('invalid', `${from.path} is a folder; only one file can go to standard output.`, {
      details: { hint: `Name a folder instead of -, or: fumehood sandbox exec ${from.id} -- tar -c ${from.path}` },
    });
  const content = await contentOf(context.api, from);
  await pipeline(content, process.stdout, { end: false });
  return undefined;
}

/** Standard input, until it ends, as one file. */
async function copyFromInput(context: Context, to: Place): Promise<Copied> {
  if (to.path.endsWith('/') || (await folderIn(context.api, to)))
    throw new AppError('invalid', `${to.path} is a folder, and standard input has no name.`, {
      details: { hint: `Say how the file shall be called: ${to.id}:${posix.join(to.path, 'NAME')}` },
    });
  let bytes = 0;
  const content = counted(context.stdin, (more) => {
    bytes += more;
  });
  try {
    await context.api.upload('PUT', at('sandboxes', to.id, 'files', 'content'), { query: { path: to.path }, content });
  } finally {
    // Whoever still writes into it learns that nobody reads.
    context.stdin.destroy();
  }
  return { files: 1, bytes };
}

const contentOf = (api: Api, { id, path }: Place): Promise<Readable> =>
  api.download(at('sandboxes', id, 'files', 'content'), { query: { path } });

/** As `cp` does: a target that is a folder, or ends in a slash, takes the source's name. */
async function intoFolder(api: Api, to: Place, source: string): Promise<Place> {
  const folder = to.path.endsWith('/') || (await folderIn(api, to));
  return folder ? { id: to.id, path: posix.join(to.path, basename(source)) } : to;
}

/** Sends a file or a folder to a place in a sandbox, under a bar of its own. */
export async function copyIn(context: Pick<Context, 'api' | 'out'>, source: string, to: Place): Promise<Copied> {
  const files = localFiles(source);
  const bytes = files.reduce((sum, one) => sum + one.sizeBytes, 0);
  const { add, end } = context.out.progress(`Copying ${basename(source)} into ${to.id}`, bytes);
  try {
    for (const { file, path, mode } of files) {
      const query = { path: posix.join(to.path, path), mode, parents: path === '' ? undefined : true };
      const content = counted(createReadStream(file), add);
      await context.api.upload('PUT', at('sandboxes', to.id, 'files', 'content'), { query, content });
    }
  } catch (error) {
    end('failed');
    throw error;
  }
  end(context.out.plain ? undefined : 'done');
  return { files: files.length, bytes };
}

type LocalFile = { file: string; path: string; mode: string; sizeBytes: number };

function localFiles(source: string, prefix = ''): LocalFile[] {
  const info = statOf(source);
  if (info.isDirectory())
    return readdirSync(source)
      .sort()
      .flatMap((name) => localFiles(join(source, name), posix.join(prefix, name)));
  if (!info.isFile()) throw new AppError('invalid', `"${source}" is neither a file nor a folder.`);
  const mode = (info.mode & 0o777).toString(8).padStart(3, '0');
  return [{ file: source, path: prefix, mode, sizeBytes: info.size }];
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw new AppError('invalid', `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      details: { hint: 'SRC is a file or a folder of this machine, - for standard input, or ID:PATH.' },
    });
  }
}

const isNoFolder = (error: unknown): boolean =>
  error instanceof AppError && ['invalid', 'conflict', 'not_found'].includes(error.code);

async function folderIn(api: Api, { id, path }: Place): Promise<boolean> {
  try {
    await api.send('GET', at('sandboxes', id, 'files'), { query: { path } });
    return true;
  } catch (error) {
    if (isNoFolder(error)) return false;
    throw error;
  }
}

async function copyOut(context: Context, from: Place, target: string): Promise<Copied> {
  const place = isFolder(target) ? join(target, basename(from.path)) : target;
  if (!(await folderIn(context.api, from))) return copyFile(context, from, place);
  const files = await listFiles(context.api, from.id, from.path, {
    limits: WIDE_LIMITS,
    leftOut: (path, kind) => context.out.note(`left out ${posix.join(from.path, path)}: it is a ${kind}`),
  });
  const expected = files.reduce((sum, one) => sum + one.sizeBytes, 0);
  const { add, end } = context.out.progress(`Copying ${files.length} file(s) out of ${from.id}`, expected);
  try {
    const source = { id: from.id, base: from.path, files };
    const bytes = await fetchFiles(context.api, source, place, { limits: WIDE_LIMITS, onBytes: add });
    end(context.out.plain ? undefined : 'done');
    return { files: files.length, bytes };
  } catch (error) {
    end('failed');
    throw error;
  }
}

async function copyFile(context: Context, from: Place, target: string): Promise<Copied> {
  const content = await contentOf(context.api, from);
  const file = createWriteStream(target);
  await pipeline(content, file).catch((error: NodeJS.ErrnoException) => {
    if (error.syscall === undefined || error.path === undefined) throw error;
    throw new AppError('invalid', `"${target}" cannot be written (${error.code}).`, {
      details: { hint: 'Name a file in a folder that exists and that you may write to.' },
    });
  });
  return { files: 1, bytes: file.bytesWritten };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
