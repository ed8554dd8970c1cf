import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

/** Where a home keeps the key of its log. */
export const logKeyPath = (home: string): string => join(home, 'keys', 'audit-log.pem');

/** Where a restored home keeps the name under which its log was begun. */
export const logOriginPath = (home: string): string => join(home, 'keys', 'audit-log.origin');

/** The name under which the log of a home signs: that of the home in which it was begun. */
export const logOrigin = (home: string): string =>
  existsSync(logOriginPath(home)) ? readFileSync(logOriginPath(home), 'utf8').trim() : nameOfHome(home);

const nameOfHome = (home: string): string =>
  `fumehood.local/${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;

/** Reads the log's private key (PEM), or makes it for a log that is still empty. Refuses a key that others may read, and a missing one. */
export function loadLogKey(path: string, options: { logIsEmpty: boolean }): string {
  if (!existsSync(path)) {
    if (!options.logIsEmpty) {
      throw new AppError('integrity', `The audit log has entries, but its key ${path} is missing.`, {
        details: { hint: 'Restore the key from a backup; with another key no earlier checkpoint could be checked.' },
      });
    }
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new AppError('integrity', `The audit log's key ${path} can be read by others (mode ${mode.toString(8)}).`, {
      details: { hint: `Run "chmod 600 ${path}", and think about who may have read it.` },
    });
  }
  return readFileSync(path, 'utf8');
}
