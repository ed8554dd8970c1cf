import { AppError } from '#kernel/errors.ts';
import { type Conditions, objectError, type StoredObject } from './object.ts';

type State = Pick<StoredObject, 'etag' | 'modifiedMs'> | undefined;

const names = (etags: string[], state: State): boolean =>
  state !== undefined && (etags.includes('*') || etags.includes(state.etag));

/** HTTP dates have whole seconds. */
const seconds = (ms: number): number => Math.floor(ms / 1000);

const failed = (which: string): AppError =>
  new AppError('precondition_failed', `The condition ${which} does not hold.`, {
    details: { about: 'condition', condition: which },
  });

/** Refuses a write whose If-Match or If-None-Match does not hold; If-Match on a missing object is `not_found`. */
export function refuseWrite(state: State, conditions: Conditions | undefined): void {
  if (conditions?.ifMatch !== undefined) {
    if (state === undefined) throw objectError('not_found', 'object', 'The object that If-Match names does not exist.');
    if (!names(conditions.ifMatch, state)) throw failed('If-Match');
  }
  if (conditions?.ifNoneMatch !== undefined && names(conditions.ifNoneMatch, state)) throw failed('If-None-Match');
}

/** Refuses a read whose condition does not hold, in the order of RFC 9110 section 13.2.2; `about: notModified` stands for 304. */
export function refuseRead(state: Pick<StoredObject, 'etag' | 'modifiedMs'>, conditions: Conditions | undefined): void {
  if (conditions === undefined) return;
  const { ifMatch, ifNoneMatch, ifModifiedSinceMs, ifUnmodifiedSinceMs } = conditions;
  if (ifMatch !== undefined) {
    if (!names(ifMatch, state)) throw failed('If-Match');
  } else if (ifUnmodifiedSinceMs !== undefined && seconds(state.modifiedMs) > seconds(ifUnmodifiedSinceMs)) {
    throw failed('If-Unmodified-Since');
  }
  const unchanged =
    ifNoneMatch !== undefined
      ? names(ifNoneMatch, state)
      : ifModifiedSinceMs !== undefined && seconds(state.modifiedMs) <= seconds(ifModifiedSinceMs);
  if (unchanged) {
    throw new AppError('precondition_failed', 'The object has not changed.', {
      details: { about: 'notModified', etag: state.etag, modifiedMs: state.modifiedMs },
    });
  }
}
