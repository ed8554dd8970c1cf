import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import { formatBytes } from '#kernel/quantities.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { loadLogKey, logKeyPath, logOrigin } from '#src/audit/log-key.ts';
import { KEYS } from '#src/backups/backup.ts';
import { sealKeys } from '#src/backups/sealed-keys.ts';
import { TAR_END } from '#src/backups/tar.ts';
import { bytesEntry, writeBackup } from '#src/backups/write-backup.ts';
import { loadConfig } from '#src/config/load-config.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';
import { lockHome } from './control-lock.ts';
import { readControl } from './home.ts';
import { VERSION } from './version.ts';

export type Backup = { file: string; sizeBytes: number; keys: 'sealed' | 'left out' };

/** `backup create`: one file, whole or not there. `sealed` are the keys under their passphrase, when they go with it. */
export async function createBackup(
  context: Pick<Context, 'home' | 'env' | 'out' | 'api'>,
  target: string,
  sealed: Buffer | undefined,
  open: () => Promise<Source> | Source = () => openSource(context),
): Promise<Backup> {
  const file = fileOf(target);
  const partial = `${file}.part-${process.pid}`;
  const end = context.out.phase(`Backing up ${context.home}`);
  const handle = openSync(partial, 'wx', 0o600);
  try {
    const write = (bytes: Uint8Array): void => {
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
    };
    const { bytes, release } = await open();
    try {
      for await (const chunk of bytes) write(chunk as Buffer);
    } finally {
      release();
    }
    if (sealed !== undefined) for (const chunk of bytesEntry(KEYS, sealed, Date.now())) write(chunk);
    write(TAR_END);
    fsyncSync(handle);
    renameSync(partial, file);
  } catch (error) {
    end('failed');
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  const sizeBytes = statSync(file).size;
  end(formatBytes(sizeBytes));
  return { file, sizeBytes, keys: sealed === undefined ? 'left out' : 'sealed' };
}

/** A folder takes a file named for the time. */
function fileOf(target: string): string {
  const isFolder = target.endsWith('/') || (existsSync(target) && statSync(target).isDirectory());
  const name = `fumehood-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}Z.tar`;
  const file = resolve(isFolder ? join(target, name) : target);
  if (existsSync(file))
    throw new AppError('conflict', `"${file}" is there already.`, { details: { hint: 'Name another file.' } });
  return file;
}

/** Whether the control plane that commands go to is the one of this home, so that the home's keys are its keys. */
export const isOwn = (context: Pick<Context, 'home' | 'api' | 'env'>): boolean => {
  const control = readControl(context.home);
  if (control === undefined) return (context.env.FUMEHOOD_URL ?? '') === '';
  return new URL(context.api.connection().url).origin === new URL(control.url).origin;
};

type Source = { bytes: Readable | AsyncIterable<Buffer>; release: () => void };

/** From the running control plane; where none runs, from the home itself, which is locked for that time. */
async function openSource(context: Pick<Context, 'home' | 'env' | 'api'>): Promise<Source> {
  if (readControl(context.home) !== undefined || !isOwn(context))
    return { bytes: await context.api.download(at('backups'), { body: {} }), release: () => undefined };
  return readHome(context);
}

/** Whoever may read the files of a home may copy them: no policy is asked and nothing is written into it. */
export function readHome({ home, env }: Pick<Context, 'home' | 'env'>, options: { locked?: boolean } = {}): Source {
  const { settings } = loadConfig({ home, env, cwd: process.cwd() });
  const databaseUrl = settings['database.url'];
  if (databaseUrl === undefined && !existsSync(join(home, 'state.db')))
    throw new AppError('not_found', `There is no home in ${home}.`, {
      details: { hint: 'Name the home with --home, or with FUMEHOOD_HOME.' },
    });
  const lock = options.locked === true ? undefined : lockHome(home);
  const key = loadLogKey(logKeyPath(home), { logIsEmpty: false });
  const { publicKey } = createSigner(logOrigin(home), key);
  // Nobody else writes: the home is locked.
  const hold = () => () => undefined;
  const bytes = writeBackup({ home, databaseUrl, publicKey, program: VERSION, nowMs: Date.now(), hold });
  return { bytes, release: () => lock?.release() };
}

/** The keys of the home under a passphrase that is asked for, twice on a terminal. */
export async function askAndSeal(context: Context): Promise<Buffer> {
  if (!isOwn(context))
    throw new AppError(
      'invalid',
      'The keys lie on the machine of the control plane, and never leave it over the network.',
      {
        details: { hint: 'Run it there, or add --without-keys and copy the folder keys/ of the home by other means.' },
      },
    );
  const passphrase = await context.secret('Passphrase for the keys');
  if (context.stdin.isTTY === true && (await context.secret('Once more')) !== passphrase)
    throw new AppError('invalid', 'The two passphrases are not the same.', { details: { hint: 'Try again.' } });
  return sealKeys(context.home, passphrase);
}
