/** The keys of a home under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM seals. */
import { randomBytes, scrypt } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openBytes, sealBytes } from '#kernel/envelope.ts';
import { AppError } from '#kernel/errors.ts';
import { damaged } from './backup.ts';

export const SHORTEST_PASSPHRASE = 12;

/** 128 MiB and about half a second: what a guess costs. */
const COST = { N: 2 ** 17, r: 8, p: 1 };
const LARGEST_COST = 2 ** 20;
const BOUND = Buffer.from('fumehood keys 1');
const NAME = /^(keys\/[a-z0-9][a-z0-9-]{0,62}\.(key|pem)|operator\.token)$/;

const Sealed = z.strictObject({
  kdf: z.literal('scrypt'),
  N: z.number().int().max(LARGEST_COST),
  r: z.number().int().max(32),
  p: z.number().int().max(16),
  salt: z.base64(),
  sealed: z.base64(),
});
const Files = z.record(z.string().regex(NAME), z.base64());

/** The keys and the operator's token of a home, by their paths in it. */
export function keyFilesOf(home: string): Record<string, string> {
  const keys = readdirSync(join(home, 'keys')).map((name) => `keys/${name}`);
  const names = [...keys, 'operator.token'].filter((name) => NAME.test(name) && existsSync(join(home, name)));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(home, name)).toString('base64')]));
}

/** Seals the keys of a home. */
export async function sealKeys(home: string, passphrase: string): Promise<Buffer> {
  if (passphrase.length < SHORTEST_PASSPHRASE)
    throw new AppError('invalid', `The passphrase is shorter than ${SHORTEST_PASSPHRASE} characters.`, {
      details: { hint: 'Take some words, or what a password manager makes; without it the backup is of no use.' },
    });
  const salt = randomBytes(16);
  const key = await keyOf(passphrase, salt, COST);
  const files = Buffer.from(JSON.stringify(keyFilesOf(home)));
  const sealed = sealBytes(key, files, BOUND);
  return Buffer.from(
    JSON.stringify({
      kdf: 'scrypt',
      ...COST,
      salt: salt.toString('base64'),
      sealed: Buffer.from(sealed).toString('base64'),
    }),
  );
}

/** The key files by their paths. Throws `denied` when the passphrase is another one. */
export async function openKeys(bytes: Buffer, passphrase: string): Promise<Map<string, Buffer>> {
  const { N, r, p, salt, sealed } = parse(Sealed, bytes);
  const key = await keyOf(passphrase, Buffer.from(salt, 'base64'), { N, r, p });
  let plain: Uint8Array;
  try {
    plain = openBytes(key, Buffer.from(sealed, 'base64'), BOUND);
  } catch (error) {
    throw new AppError('denied', 'The passphrase is not the one that the keys were sealed with.', {
      details: { hint: 'Try again; without it only a backup of the keys that was kept elsewhere helps.' },
      cause: error,
    });
  }
  const files = parse(Files, Buffer.from(plain));
  return new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}

/** Writes key files into a home, 0600. */
export function writeKeys(home: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 });
  for (const [name, bytes] of files) writeFileSync(join(home, name), bytes, { mode: 0o600, flag: 'wx' });
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer): T {
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw error instanceof AppError ? error : damaged('its keys are not in their form');
  }
}

const keyOf = (passphrase: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const maxmem = 256 * cost.N * cost.r;
    scrypt(passphrase.normalize('NFKC'), salt, 32, { ...cost, maxmem }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
