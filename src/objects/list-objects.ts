import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { nodeKey } from '#src/lineage/node.ts';
import type { Question } from '#src/policies/decision.ts';
import { askAboutBucket, findBucket } from './ask-about-object.ts';
import type { Caller, StoredObject } from './object.ts';
import { selectNameLabels, selectObjects } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { tellNames } from './tell-names.ts';

export type ListRequest = Caller & {
  bucket: string;
  prefix: string;
  delimiter?: string;
  /** Keys and prefixes up to this one (counted) are left out. */
  startAfter?: string;
  /** 0 to 1,000; 1,000 when not given. */
  limit?: number;
};

/** One page, in the order of UTF-8 bytes. `next` is the `startAfter` of the following page. */
export type ObjectPage = { objects: StoredObject[]; prefixes: string[]; next: string | null };

export const LARGEST_PAGE = 1000;

/**
 * Lists keys. Policy is asked once for the bucket, with the labels of all names that the page tells or stands for, and once for each data
 * set version whose file names are in it; the subject takes over those labels, because names can carry data. All or nothing: a
 * page that holds one name that the subject may not see is refused, so that what is listed never depends on what is hidden.
 * In a built-in bucket that many write to, a prefix that is one owner's place is asked about as that owner's; above such places
 * everybody sees their own objects alone.
 */
export async function listObjects(deps: ObjectsDeps, request: ListRequest): Promise<ObjectPage> {
  const { identity, door, requestId, bucket: name, prefix } = request;
  let page: ObjectPage = { objects: [], prefixes: [], next: null };
  let parts: { question: Question; node: NodeRef }[] = [];
  let labels: string[] = [];
  return deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'object.list',
    object: { kind: 'object', id: `${name}/${prefix}`, name: `${name}/${prefix}` },
    ask: async (reader) => {
      const bucket = await findBucket(deps, reader, name);
      const rules = deps.builtIn[name];
      const place = bucket.builtIn ? await rules?.ownerOf?.(reader, prefix) : bucket.owner;
      const onlyOwn = place === undefined && rules?.askToList === undefined;
      page = await readPage(reader, request, onlyOwn ? identity.user : undefined);
      parts = await partsOf(deps, reader, name, page.objects);
      labels = await labelsOfPage(reader, name, page, onlyOwn ? identity.user : undefined);
      const asked =
        rules?.askToList?.() ??
        askAboutBucket('object.list', { ...bucket, owner: place ?? identity.user }, labels, prefix);
      const about = parts.map((one): Question => ({ ...one.question, action: 'data.list' }));
      return [asked, ...about];
    },
    act: async (tx, crossing) => {
      for (const part of parts) await crossing.reads(part.node, 'listed');
      await tellNames(deps, tx, crossing, `${name}/${prefix}`, labels);
      crossing.detail('count', page.objects.length + page.prefixes.length);
      return page;
    },
  });
}

/** The first text after all that begin with this prefix, in the order of UTF-8 bytes; undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = [...prefix];
  while (points.length > 0) {
    const last = points.pop()?.codePointAt(0) ?? 0;
    if (last < 0x10ffff) return points.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

async function readPage(reader: Reader, request: ListRequest, owner: string | undefined): Promise<ObjectPage> {
  const { bucket, prefix, delimiter = '', startAfter = '' } = request;
  const limit = Math.min(request.limit ?? LARGEST_PAGE, LARGEST_PAGE);
  if (limit < 0 || !Number.isInteger(limit)) throw new AppError('invalid', 'A page has 0 to 1,000 keys.');
  const page: ObjectPage = { objects: [], prefixes: [], next: null };
  const end = afterPrefix(prefix);
  let last = '';
  let cursor: { from: string; after: boolean } | undefined = startOf(prefix, delimiter, startAfter);
  let batch = delimiter === '' ? limit + 1 : Math.min(limit + 1, 64);
  while (cursor !== undefined && limit > 0) {
    const found: StoredObject[] = await selectObjects(reader, { bucket, ...cursor, end, owner, limit: batch });
    const full = found.length === batch;
    cursor = undefined;
    for (const object of found) {
      if (page.objects.length + page.prefixes.length === limit) return { ...page, next: last };
      const common = commonPrefix(object.key, prefix, delimiter);
      if (common === undefined) {
        page.objects.push(object);
        last = object.key;
        cursor = full ? { from: object.key, after: true } : undefined;
        continue;
      }
      page.prefixes.push(common);
      last = common;
      const beyond = afterPrefix(common);
      cursor = beyond === undefined ? undefined : { from: beyond, after: false };
      break;
    }
    // Many prefixes one after the other need one row each; many plain keys are read by the hundred.
    batch = last.endsWith(delimiter) && delimiter !== '' ? 4 : Math.min(batch * 2, limit + 1);
  }
  return page;
}

function startOf(prefix: string, delimiter: string, startAfter: string): { from: string; after: boolean } | undefined {
  if (startAfter === '' || Buffer.compare(Buffer.from(startAfter), Buffer.from(prefix)) < 0) {
    return { from: prefix, after: false };
  }
  const common = commonPrefix(startAfter, prefix, delimiter);
  if (common !== startAfter) return { from: startAfter, after: true };
  const beyond = afterPrefix(common);
  return beyond === undefined ? undefined : { from: beyond, after: false };
}

function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The data set versions whose file names the page tells, each once. */
async function partsOf(
  deps: ObjectsDeps,
  reader: Reader,
  bucket: string,
  objects: StoredObject[],
): Promise<{ question: Question; node: NodeRef }[]> {
  const partOf = deps.builtIn[bucket]?.partOf;
  const parts = new Map<string, { question: Question; node: NodeRef }>();
  if (partOf === undefined) return [];
  const folders = new Set<string>();
  for (const { key } of objects) {
    const folder = key.split('/').slice(0, 2).join('/');
    if (folders.has(folder)) continue;
    folders.add(folder);
    const part = await partOf(reader, key);
    if (part !== undefined) parts.set(nodeKey(part.node), part);
  }
  return [...parts.values()];
}

/** The labels of every name from the first to the last on the page: of the keys, and of all that its prefixes stand for. */
async function labelsOfPage(
  reader: Reader,
  bucket: string,
  page: ObjectPage,
  owner: string | undefined,
): Promise<string[]> {
  const told = [...page.objects.map((object) => object.key), ...page.prefixes].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const [first] = told;
  const last = told.at(-1);
  if (first === undefined || last === undefined) return [];
  const to = page.prefixes.includes(last) ? afterPrefix(last) : last;
  return selectNameLabels(reader, bucket, first, to, owner);
}
