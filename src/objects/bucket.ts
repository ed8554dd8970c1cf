import type { Reader } from '#kernel/sql.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { Question } from '#src/policies/decision.ts';
import { objectError } from './object.ts';

export type Bucket = { name: string; owner: string; createdMs: number; builtIn: boolean };

/** The owner of built-in buckets, who is nobody. */
export const SYSTEM_OWNER = 'fumehood';

/** What is different in a built-in bucket. */
export type BucketRules = {
  /** Doors only read it: a domain of its own writes it. */
  readOnly: boolean;
  /** Who owns what is at a key that does not exist yet (the owner of a run); nobody known: the writer. */
  ownerOf?: (reader: Reader, key: string) => Promise<string | undefined>;
  /** The thing that a key is a part of: it is asked about and read in place of the object (a version of a data set). */
  partOf?: (reader: Reader, key: string) => Promise<{ question: Question; node: NodeRef } | undefined>;
  /** Asked in place of the question about the bucket when its names are listed; then all of them are told. */
  askToList?: () => Question;
};

const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

/** Refuses what is not a bucket name (3 to 63 of a-z, 0-9, dot and dash, as S3 has them). */
export function checkBucketName(name: string): void {
  if (NAME.test(name) && !name.includes('..') && !ADDRESS.test(name)) return;
  throw objectError(
    'invalid',
    'bucketName',
    `"${name.slice(0, 80)}" is not a name for a bucket.`,
    'Use 3 to 63 characters of a-z, 0-9, "." and "-", with a letter or digit at both ends.',
  );
}
