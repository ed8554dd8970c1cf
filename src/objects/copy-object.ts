import { askAboutObject, type Found } from './ask-about-object.ts';
import { refuseWrite } from './condition.ts';
import { attributesOf, auditObject, type Conditions, type StoredObject, type WriteRequest } from './object.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { readFound } from './open-object.ts';
import { placeObject } from './place-object.ts';

export type CopyRequest = WriteRequest & {
  source: { bucket: string; key: string; conditions?: Conditions };
  /** Takes content type, headers and metadata from the request, not from the source. */
  replaceMetadata: boolean;
  replaceTags: boolean;
};

/** Copies an object without moving its bytes; policy is asked about reading the source and about writing the target. */
export async function copyObject(deps: ObjectsDeps, request: CopyRequest): Promise<StoredObject> {
  const { identity, door, requestId, bucket, key, source } = request;
  let from: Found | undefined;
  let to: Found | undefined;
  let freed: string[] = [];
  return deps.gateway.cross<StoredObject>({
    identity,
    door,
    requestId,
    action: 'object.write',
    object: auditObject(bucket, key),
    ask: async (reader) => {
      from = await askAboutObject(deps, reader, { action: 'object.read', identity, place: source });
      to = await askAboutObject(deps, reader, {
        action: 'object.write',
        identity,
        place: { bucket, key },
        write: true,
      });
      return [from.question, to.question];
    },
    act: async (tx, crossing) => {
      const object = await readFound(from, crossing, 'read', source);
      refuseWrite(to?.object, request.conditions);
      const given = attributesOf(request);
      const target = {
        bucket,
        key,
        owner: identity.user,
        attributes: {
          ...(request.replaceMetadata ? given : object),
          tags: request.replaceTags ? given.tags : object.tags,
        },
      };
      const placed = await placeObject(tx, crossing, target, object);
      crossing.detail('source', `${source.bucket}/${source.key}`);
      freed = placed.freed;
      return placed.object;
    },
    onCommitted: () => deps.vault.discard(freed),
  });
}
