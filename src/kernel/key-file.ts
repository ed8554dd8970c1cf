/** The embedded key provider: named keys in files of mode 0600, one file a name, all versions of the key inside. */
import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { contextBytes, DATA_KEY_BYTES, openBytes, sealBytes } from './envelope.ts';
import { AppError } from './errors.ts';
import type { KeyContext, KeyProvider, WrappedKey } from './key-provider.ts';

type KeyVersions = Map<number, Uint8Array>;

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const LINE = /^(\d{1,9}) ([A-Za-z0-9+/]{43}=)$/;

type Options = {
  /** The folder of the key files; made 0700 when it is not there. */
  folder: string;
  keyName: string;
  /** True when something is already encrypted under this key: a missing file is then an error, never a new key. */
  hasData: boolean;
};

/** A key whose versions this process may add and take away. */
export type KeyFile = KeyProvider & {
  /** Adds a version, used by `wrap` from now on; what older ones wrapped stays readable. */
  rotate(): Promise<number>;
  /** The versions there are. */
  versions(): Promise<number[]>;
  /** Removes the versions below one that stays. What they wrapped cannot be read any more. */
  retireBelow(version: number): Promise<void>;
};

/** Opens the named key, or makes it when nothing is encrypted yet. Refuses files and folders that others may read. */
export async function openKeyFile(options: Options): Promise<KeyFile> {
  const { folder, keyName } = options;
  if (!NAME.test(keyName)) throw new AppError('invalid', `"${keyName}" is not a name for a key.`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseOpenTo(folder, 0o700);
  const known = new Map<string, KeyVersions>();
  let own = await readVersions(folder, keyName);
  if (own === undefined) {
    if (options.hasData) throw missingKey(folder, keyName);
    await makeKey(folder, keyName);
    own = await readVersions(folder, keyName);
  }
  if (own === undefined) throw missingKey(folder, keyName);
  known.set(keyName, own);

  const versionsOf = async (name: string): Promise<KeyVersions> => {
    const found = known.get(name) ?? (NAME.test(name) ? await readVersions(folder, name) : undefined);
    if (found === undefined) throw missingKey(folder, name);
    known.set(name, found);
    return found;
  };

  return {
    keyName,
    wrap: async (dataKey, context) => {
      const [keyVersion, key] = newest(await versionsOf(keyName));
      return { keyName, keyVersion, wrapped: sealBytes(key, dataKey, boundTo(keyName, keyVersion, context)) };
    },
    unwrap: async (wrapped: WrappedKey, context) => {
      const key = (await versionsOf(wrapped.keyName)).get(wrapped.keyVersion);
      if (key === undefined) throw missingKey(folder, `${wrapped.keyName} version ${wrapped.keyVersion}`);
      return openBytes(key, wrapped.wrapped, boundTo(wrapped.keyName, wrapped.keyVersion, context));
    },
    versions: async () => [...(await versionsOf(keyName)).keys()],
    rotate: async () => {
      const versions = new Map(await versionsOf(keyName));
      const version = newest(versions)[0] + 1;
      versions.set(version, randomBytes(DATA_KEY_BYTES));
      known.set(keyName, await replaceKey(folder, keyName, versions));
      return version;
    },
    retireBelow: async (version) => {
      const kept = [...(await versionsOf(keyName))].filter(([one]) => one >= version);
      if (kept.length === 0) throw new AppError('invalid', `The key "${keyName}" has no version ${version}.`);
      known.set(keyName, await replaceKey(folder, keyName, new Map(kept)));
    },
  };
}

const fileOf = (folder: string, name: string): string => join(folder, `${name}.key`);

const boundTo = (name: string, version: number, context: KeyContext): Uint8Array =>
  Buffer.concat([Buffer.from(`${name}\0${version}\0`), contextBytes(context)]);

function newest(versions: KeyVersions): [number, Uint8Array] {
  const found = [...versions].sort((a, b) => b[0] - a[0])[0];
  if (found === undefined) throw new AppError('integrity', 'A key file holds no key.');
  return found;
}

async function refuseOpenTo(path: string, mode: number): Promise<void> {
  const found = await lstat(path);
  const octal = (found.mode & 0o777).toString(8).padStart(4, '0');
  const owned = process.getuid === undefined || found.uid === process.getuid();
  if (!found.isSymbolicLink() && owned && (found.mode & 0o777 & ~mode) === 0) return;
  throw new AppError('unavailable', `Keys at ${path} are not safe: mode ${octal}, owner ${found.uid}.`, {
    details: { hint: `Check who could read them, then run: chmod ${mode.toString(8).padStart(4, '0')} '${path}'` },
  });
}

async function readVersions(folder: string, name: string): Promise<KeyVersions | undefined> {
  const path = fileOf(folder, name);
  let text: string;
  try {
    await refuseOpenTo(path, 0o600);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const versions: KeyVersions = new Map();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const match = LINE.exec(line);
    if (match === null) throw new AppError('integrity', `The key file ${path} cannot be read: a line is not a key.`);
    versions.set(Number(match[1]), Buffer.from(match[2] ?? '', 'base64'));
  }
  newest(versions);
  return versions;
}

/** Makes the key for the first time; when another process was faster, its key stays. */
async function makeKey(folder: string, name: string): Promise<void> {
  const fresh = await writeFresh(folder, name, new Map([[1, randomBytes(DATA_KEY_BYTES)]]));
  try {
    await link(fresh, fileOf(folder, name));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await unlink(fresh);
  }
  await syncFolder(folder);
}

/** The file holds the old versions or the new ones, whenever this is broken off. */
async function replaceKey(folder: string, name: string, versions: KeyVersions): Promise<KeyVersions> {
  const fresh = await writeFresh(folder, name, versions);
  await rename(fresh, fileOf(folder, name));
  await syncFolder(folder);
  return versions;
}

async function writeFresh(folder: string, name: string, versions: KeyVersions): Promise<string> {
  const path = join(folder, `.${name}.${randomBytes(8).toString('hex')}`);
  const file = await open(path, 'wx', 0o600);
  try {
    await chmod(path, 0o600);
    const lines = [...versions].map(([version, key]) => `${version} ${Buffer.from(key).toString('base64')}\n`);
    await file.writeFile(lines.join(''));
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function missingKey(folder: string, name: string): AppError {
  return new AppError('unavailable', `The key "${name}" is not in ${folder}, and data is encrypted under it.`, {
    details: { hint: 'Restore the key file from your backup; without it that data cannot be read.' },
  });
}
