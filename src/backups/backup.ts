/** The noun: a backup is one tar file of a store as of one position of its log, of the blobs that it names, and of sealed keys. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';

export const FORMAT = 'fumehood-backup-1';
/** The store itself. */
export const STORE = 'state.db';
/** The store, when it is in PostgreSQL: the custom format of pg_dump. */
export const DUMP = 'state.dump';
/** One line a file: its digest and its path. */
export const DIGESTS = 'digests';
export const MANIFEST = 'manifest.json';
/** Keys and the operator's token, under a passphrase; it stands after the manifest, since whoever serves the store never sees it. */
export const KEYS = 'keys.sealed';

/** What a backup says of itself. Positions count entries of the log, `root` is base64. */
export const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  program: z.string(),
  createdAt: z.iso.datetime(),
  engine: z.enum(['sqlite', 'postgres']),
  /** The newest migration of the store. */
  schema: z.number().int(),
  log: z.strictObject({ size: z.number().int(), root: z.string(), checkpoint: z.string(), publicKey: z.string() }),
  blobs: z.strictObject({ count: z.number().int(), bytes: z.number().int() }),
  /** SHA-256 of the file of digests, in hex. */
  digests: z.string(),
});
export type Manifest = z.infer<typeof Manifest>;

const BLOB_PATH = /^objects\/([0-9a-f]{2})\/(\1[0-9a-f]{30})$/;

export const blobPath = (blobId: string): string => `objects/${blobId.slice(0, 2)}/${blobId}`;

/** The id in the path of a blob. */
export const blobIdOf = (path: string): string | undefined => BLOB_PATH.exec(path)?.[2];

/** Only these names are in a backup: none can lead anywhere else. */
export const isPathOfBackup = (path: string): boolean =>
  [STORE, DUMP, DIGESTS, MANIFEST, KEYS].includes(path) || blobIdOf(path) !== undefined;

/** A backup is not what it says. */
export const damaged = (what: string): AppError =>
  new AppError('integrity', `The backup is damaged: ${what}.`, {
    details: { hint: 'Use another copy of it; nothing of this one was put to use.' },
  });
