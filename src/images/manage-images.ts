/** Images: added by whoever brings them, used by whoever may, removed by their owner or an operator. */
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { PolicyObject, Question } from '#src/policies/decision.ts';
import type { Image } from './image.ts';
import type { AddedImage, ImageFiles } from './image-files.ts';

export type ImagesDeps = {
  gateway: Gateway;
  clock: Clock;
  files: ImageFiles;
  /** Whether a sandbox that is not deleted was made with it. */
  inUse: (digest: string) => Promise<boolean>;
};

export type Caller = { identity: Identity; requestId: string };

const DOOR = 'api';

/** The object of every question about an image. */
export const policyObject = ({ digest, name, owner }: Pick<Image, 'digest' | 'name' | 'owner'>): PolicyObject => ({
  type: 'image',
  id: digest,
  digest,
  name,
  owner,
  labels: [],
});

const questionOf = (action: string, object: PolicyObject): Question => ({ action, resource: 'environment', object });

/** Asks policy before a byte is taken in; the image is an act once it is unpacked. */
export async function addImage(
  deps: ImagesDeps,
  input: Caller & { name: string; body: AsyncIterable<Buffer> },
): Promise<AddedImage> {
  const { identity, requestId, name } = input;
  const crossing = { identity, requestId, door: DOOR, action: 'image.add' };
  const object: PolicyObject = { type: 'image', id: name, name, owner: identity.user, labels: [] };
  const ask = async (): Promise<Question[]> => [questionOf('image.add', object)];
  await deps.gateway.check({ ...crossing, object: { kind: 'image', id: name, name }, ask });
  const made = await deps.files.add(input.body, { owner: identity.user, name, nowMs: deps.clock.nowMs() });
  const { digest, sizeBytes, layers } = made.image;
  await deps.gateway.cross({
    ...crossing,
    object: { kind: 'image', id: digest, name, digest },
    ask,
    act: async (_tx, observed) => {
      observed.detail('sizeBytes', sizeBytes);
      observed.detail('layers', layers);
      observed.detail('added', made.added);
      await observed.writes({ kind: 'image', id: digest, name, digest }, 'added');
    },
  });
  return made;
}

/** One image. Throws `not_found`. */
export function findImage(files: Pick<ImageFiles, 'find'>, digest: string): Image {
  const image = files.find(digest);
  if (image !== undefined) return image;
  throw new AppError('not_found', `There is no image ${digest} here.`, {
    details: { field: 'image', hint: 'Add it with "fumehood image add FOLDER"; see "fumehood image list".' },
  });
}

/** Removes an image that no sandbox uses. */
export async function removeImage(
  deps: ImagesDeps,
  input: Caller & { digest: string; dryRun: boolean },
): Promise<Image> {
  const { digest } = input;
  const image = await deps.gateway.cross({
    identity: input.identity,
    requestId: input.requestId,
    door: DOOR,
    action: 'image.delete',
    object: { kind: 'image', id: digest, digest },
    ask: async () => [questionOf('image.delete', policyObject(findImage(deps.files, digest)))],
    act: async () => {
      if (await deps.inUse(digest)) {
        throw new AppError('conflict', 'A sandbox still uses this image.', {
          details: { hint: 'Delete the sandbox first: "fumehood sandbox list".' },
        });
      }
      return findImage(deps.files, digest);
    },
  });
  if (!input.dryRun) await deps.files.remove(digest);
  return image;
}
