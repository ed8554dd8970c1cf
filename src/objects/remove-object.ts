import type { CrossingRequest } from '#src/gateway/crossing.ts';
import { askAboutObject, type Found } from './ask-about-object.ts';
import { refuseWrite } from './condition.ts';
import { auditObject, type Caller, type Conditions } from './object.ts';
import { deleteObject, deleteUnnamedContent } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';

export type RemoveRequest = Caller & { bucket: string; key: string; conditions?: Conditions };

/** Removes an object; one that is not there is removed already. Answers whether there was one. */
export async function removeObject(deps: ObjectsDeps, request: RemoveRequest): Promise<{ existed: boolean }> {
  const { identity, door, requestId, bucket, key } = request;
  let found: Found | undefined;
  let freed: string[] = [];
  const crossing: CrossingRequest<{ existed: boolean }> = {
    identity,
    door,
    requestId,
    action: 'object.delete',
    object: auditObject(bucket, key),
    ask: async (reader) => {
      const place = { bucket, key };
      found = await askAboutObject(deps, reader, { action: 'object.delete', identity, place, write: true });
      return [found.question];
    },
    act: async (tx, open) => {
      const object = found?.object;
      refuseWrite(object, request.conditions);
      open.detail('existed', object !== undefined);
      if (object === undefined) return { existed: false };
      await deleteObject(tx, bucket, key);
      open.attest('object', bucket, key);
      freed = await deleteUnnamedContent(tx, object.contentId);
      return { existed: true };
    },
    onCommitted: () => deps.vault.discard(freed),
  };
  return deps.gateway.cross(crossing);
}
