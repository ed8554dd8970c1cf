import { askAboutObject, type Found } from './ask-about-object.ts';
import { auditObject, type Caller, objectError } from './object.ts';
import { insertNameLabels, updateTags } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';

const LARGEST_TAG_COUNT = 10;

export type TagRequest = Caller & { bucket: string; key: string; tags: Record<string, string> };

/** Replaces the tags of an object: they are the writer's words, no labels, but they carry the writer's labels. */
export async function tagObject(deps: ObjectsDeps, request: TagRequest): Promise<void> {
  const { identity, door, requestId, bucket, key, tags } = request;
  let found: Found | undefined;
  await deps.gateway.cross<void>({
    identity,
    door,
    requestId,
    action: 'object.write',
    object: auditObject(bucket, key),
    ask: async (reader) => {
      refuseTags(tags);
      const place = { bucket, key };
      found = await askAboutObject(deps, reader, { action: 'object.write', identity, place, write: true });
      return [found.question];
    },
    act: async (tx, crossing) => {
      if (found?.object === undefined || found.node === undefined) {
        throw objectError('not_found', 'object', `There is no object "${key}" in bucket "${bucket}".`);
      }
      await updateTags(tx, bucket, key, tags);
      crossing.attest('object', bucket, key);
      await insertNameLabels(tx, bucket, key, crossing.labels());
      await crossing.writes(found.node, 'tagged');
    },
  });
}

/** Refuses more than ten tags, or one that is too long (128 and 256 characters, as in S3). */
export function refuseTags(tags: Record<string, string>): void {
  const entries = Object.entries(tags);
  if (entries.length > LARGEST_TAG_COUNT) throw objectError('invalid', 'tag', 'An object has at most ten tags.');
  for (const [name, value] of entries) {
    if (name === '' || name.length > 128 || value.length > 256) {
      throw objectError('invalid', 'tag', 'A tag has a name of 1 to 128 characters and a value of at most 256.');
    }
  }
}
