import { randomBytes } from 'node:crypto';
import { DATA_KEY_BYTES } from '#kernel/envelope.ts';
import { AppError } from '#kernel/errors.ts';
import type { KeyProvider, WrappedKey } from '#kernel/key-provider.ts';
import type { Database } from '#kernel/sql.ts';
import { deleteKeyChecks, insertKeyCheck, selectKeyChecks } from '#src/database/key-check-store.ts';

const CONTEXT = { use: 'key-check' };

/** Refuses a key that is not the one under which this store was sealed, before anything is written under it. */
export async function checkKeys(database: Database, keys: KeyProvider, hasData: boolean): Promise<void> {
  const { keyName } = keys;
  if (!hasData) await database.transaction((tx) => deleteKeyChecks(tx, keyName));
  const known = await database.read((reader) => selectKeyChecks(reader, keyName));
  let fits = known.length === 0;
  for (const check of known) fits = (await isRight(keys, check)) || fits;
  if (!fits) throw wrongKey(keyName);
  const fresh = await keys.wrap(randomBytes(DATA_KEY_BYTES), CONTEXT);
  if (known.some(({ keyVersion }) => keyVersion === fresh.keyVersion)) return;
  await database.transaction((tx) => insertKeyCheck(tx, fresh));
}

/** False for a version that is not held any more: it was retired. */
async function isRight(keys: KeyProvider, check: WrappedKey): Promise<boolean> {
  try {
    await keys.unwrap(check, CONTEXT);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'unavailable') return false;
    throw wrongKey(check.keyName, error);
  }
}

const wrongKey = (keyName: string, cause?: unknown): AppError =>
  new AppError('integrity', `The key "${keyName}" is not the one under which this store was encrypted.`, {
    details: { hint: 'Put back the key file that belongs to this store; nothing was written under the wrong one.' },
    cause,
  });
