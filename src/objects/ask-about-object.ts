/** The questions that use cases of objects ask, from the state inside the transaction. */
import type { Reader } from '#kernel/sql.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject, Question } from '#src/policies/decision.ts';
import { type Bucket, type BucketRules, SYSTEM_OWNER } from './bucket.ts';
import { selectBucket } from './bucket-store.ts';
import { checkKey, nodeOfObject, objectError, type StoredObject } from './object.ts';
import { selectNameLabels, selectObject } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';

type Deps = Pick<ObjectsDeps, 'builtIn' | 'lineage'> & { vault: Pick<ObjectsDeps['vault'], 'keyName'> };

export type Place = { bucket: string; key: string };

/** What is at a key, who owns it, and the node that reading it means. */
export type Found = {
  bucket: Bucket;
  rules: BucketRules | undefined;
  object: StoredObject | undefined;
  owner: string;
  node: NodeRef | undefined;
  question: Question;
};

/** The bucket of this name; throws `not_found` (`about: bucket`). */
export async function findBucket(deps: Pick<Deps, 'builtIn'>, reader: Reader, name: string): Promise<Bucket> {
  if (Object.hasOwn(deps.builtIn, name)) return { name, owner: SYSTEM_OWNER, createdMs: 0, builtIn: true };
  const bucket = await selectBucket(reader, name);
  if (bucket === undefined) throw objectError('not_found', 'bucket', `There is no bucket "${name}".`);
  return bucket;
}

/** Asks about one key: also when nothing is there, so that a denial does not tell what exists. */
export async function askAboutObject(
  deps: Deps,
  reader: Reader,
  asked: { action: string; identity: Identity; place: Place; write?: boolean },
): Promise<Found> {
  const { bucket: name, key } = asked.place;
  checkKey(key);
  const bucket = await findBucket(deps, reader, name);
  const rules = deps.builtIn[name];
  if (asked.write === true && rules?.readOnly === true) throw readOnlyBucket(name);
  const object = await selectObject(reader, name, key);
  const owner = await ownerOf(reader, bucket, rules, object, key, asked.identity);
  const part = asked.write === true ? undefined : await rules?.partOf?.(reader, key);
  if (part !== undefined) return { bucket, rules, object, owner, ...part };
  const node = object === undefined ? undefined : nodeOfObject(object);
  const labels = new Set(await selectNameLabels(reader, name, key, key));
  if (node !== undefined) for (const label of await deps.lineage.labelsOf(reader, [node])) labels.add(label);
  const about: PolicyObject = {
    type: 'object',
    id: `${name}/${key}`,
    name: `${name}/${key}`,
    bucket: name,
    key,
    ...(object === undefined ? {} : { digest: object.digest }),
    owner,
    labels: [...labels].sort(),
    encrypted: true,
    keyName: deps.vault.keyName,
  };
  return { bucket, rules, object, owner, node, question: { action: asked.action, resource: 'object', object: about } };
}

/** Asks about a bucket itself, with the labels of the names that the answer would tell. */
export function askAboutBucket(action: string, bucket: Bucket, labels: string[] = [], prefix = ''): Question {
  const id = prefix === '' ? bucket.name : `${bucket.name}/${prefix}`;
  return {
    action,
    resource: 'object',
    object: { type: 'bucket', id, name: bucket.name, bucket: bucket.name, prefix, owner: bucket.owner, labels },
  };
}

export const readOnlyBucket = (name: string) =>
  objectError(
    'denied',
    'readOnly',
    `The bucket "${name}" is read-only.`,
    name === 'datasets' ? 'Add a version with "fumehood dataset add NAME PATH --tag TAG".' : undefined,
  );

/** In a bucket of a user's, all is the user's; in a built-in one, what exists is its writer's and what does not is its place's. */
async function ownerOf(
  reader: Reader,
  bucket: Bucket,
  rules: BucketRules | undefined,
  object: StoredObject | undefined,
  key: string,
  identity: Identity,
): Promise<string> {
  if (!bucket.builtIn) return bucket.owner;
  return object?.owner ?? (await rules?.ownerOf?.(reader, key)) ?? identity.user;
}
