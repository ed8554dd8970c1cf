import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { AppError } from '#kernel/errors.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject } from '#src/policies/decision.ts';

/** The bucket in which the files of all versions are objects: `s3://datasets/<name>/<version>/<path>`. */
export const DATASET_BUCKET = 'datasets';

/** The words that tags are chosen from, unless the configuration names others. */
export const DEFAULT_TAGS: readonly string[] = [
  'public',
  'internal',
  'confidential',
  'restricted',
  'PII',
  'PHI',
  'PCI',
  'special',
  'children',
];

/** One version of a data set: its content never changes. `digest` is that of the manifest. */
export type DatasetVersion = {
  name: string;
  version: number;
  digest: string;
  tags: string[];
  sizeBytes: number;
  fileCount: number;
  /** Owner of the data set. */
  owner: string;
  createdMs: number;
};

/** One file of a version; `digest` is the SHA-256 of its content. */
export type DatasetFile = { path: string; sizeBytes: number; digest: string };

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
const PATH_BYTES = 900;
const PART_BYTES = 255;

export const DatasetName = z
  .string()
  .regex(NAME, 'A name has 1 to 63 characters of a-z, 0-9, ".", "_" and "-", with a letter or digit at both ends.');

/** A version as the API shows it. */
export const DatasetView = z.object({
  name: z.string(),
  version: z.number().int(),
  digest: z.string(),
  tags: z.array(z.string()),
  sizeBytes: z.number().int(),
  fileCount: z.number().int(),
  owner: z.string(),
  createdAt: z.string(),
});
export type DatasetView = z.infer<typeof DatasetView>;

export const viewDataset = (version: DatasetVersion): DatasetView => ({
  name: version.name,
  version: version.version,
  digest: version.digest,
  tags: version.tags,
  sizeBytes: version.sizeBytes,
  fileCount: version.fileCount,
  owner: version.owner,
  createdAt: new Date(version.createdMs).toISOString(),
});

/** Where the files of a version lie in the bucket. */
export const prefixOf = (dataset: { name: string; version: number }): string => `${dataset.name}/${dataset.version}/`;

/** A version in the lineage graph. */
export const nodeOfDataset = (dataset: Pick<DatasetVersion, 'name' | 'version' | 'digest'>): NodeRef => ({
  kind: 'dataset',
  id: `${dataset.name}@${dataset.version}`,
  name: dataset.name,
  digest: dataset.digest,
});

/** A version as policy sees it: asked about once for each tag. */
export const policyObject = (dataset: DatasetVersion): PolicyObject => ({
  type: 'dataset',
  id: `${dataset.name}@${dataset.version}`,
  name: dataset.name,
  version: String(dataset.version),
  digest: dataset.digest,
  owner: dataset.owner,
  labels: dataset.tags,
});

/** The digest of a version: SHA-256 over the canonical JSON of its files, sorted by the bytes of their paths. */
export async function manifestDigest(files: readonly DatasetFile[]): Promise<string> {
  const lines: { key: Buffer; text: string }[] = [];
  for (const { path, sizeBytes, digest } of files) {
    await yieldLongTurn();
    lines.push({ key: Buffer.from(path), text: canonicalJson({ path, sizeBytes, digest }) });
  }
  lines.sort((a, b) => Buffer.compare(a.key, b.key));
  const hash = createHash('sha256').update('{"files":[');
  for (const [at, { text }] of lines.entries()) {
    await yieldLongTurn();
    hash.update(at === 0 ? text : `,${text}`);
  }
  return `sha256:${hash.update(']}').digest('hex')}`;
}

/** Refuses a path that is not that of a file inside a folder: it becomes one on disk and a key in the bucket. */
export function checkPath(path: string): void {
  const parts = path.split('/');
  const fits = parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= PART_BYTES,
  );
  if (fits && !path.includes('\0') && path.isWellFormed() && Buffer.byteLength(path) <= PATH_BYTES) return;
  throw new AppError('invalid', `"${path.slice(0, 200)}" is not the path of a file in a data set.`, {
    details: {
      field: 'path',
      hint: `Use relative paths of at most ${PATH_BYTES} bytes without "." and "..", each part at most ${PART_BYTES} bytes.`,
    },
  });
}

/** Refuses a file whose name is that of another file's folder: they cannot be on one disk. */
export async function checkFolders(paths: readonly string[]): Promise<void> {
  const files = new Set(paths);
  for (const path of paths) {
    await yieldLongTurn();
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      if (!files.has(path.slice(0, at))) continue;
      throw new AppError('invalid', `"${path.slice(0, at)}" is a file and the folder of another one.`, {
        details: { field: 'path' },
      });
    }
  }
}

/** Tags sorted, each once; throws `invalid` for a word that is not in the vocabulary (case counts). */
export function checkTags(tags: readonly string[], vocabulary: readonly string[]): string[] {
  const unknown = tags.find((tag) => !vocabulary.includes(tag));
  if (unknown === undefined) return [...new Set(tags)].sort();
  const meant = vocabulary.find((word) => word.toLowerCase() === unknown.toLowerCase());
  throw new AppError('invalid', `"${unknown.slice(0, 80)}" is not a tag.`, {
    details: {
      field: 'tags',
      hint: meant === undefined ? `Tags are: ${vocabulary.join(', ')}.` : `Did you mean "${meant}"?`,
    },
  });
}
