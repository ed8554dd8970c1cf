/** The entry about a crossing, and the refusal that a denial becomes. */
import { AppError } from '#kernel/errors.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import type { Decision } from '#src/policies/decision.ts';
import type { CrossingRequest } from './crossing.ts';

export function entryOf(
  time: number,
  request: Pick<CrossingRequest<unknown>, 'identity' | 'action' | 'object' | 'requestId' | 'door'>,
  decision: Decision | null,
  outcome: EntryDraft['outcome'],
  details: NonNullable<EntryDraft['details']>,
): EntryDraft {
  const { type, id, user } = request.identity;
  return {
    time,
    actor: { type, id, user },
    action: request.action,
    object: request.object,
    decision:
      decision === null
        ? null
        : { id: decision.id, allowed: decision.allowed, bundles: decision.bundles, inputDigest: decision.inputDigest },
    outcome,
    requestId: request.requestId,
    door: request.door,
    ...(Object.keys(details).length > 0 ? { details } : {}),
  };
}

export function deniedError(decision: Decision): AppError {
  return new AppError(
    decision.approvable === true ? 'approval_required' : 'denied',
    decision.reason === '' ? 'Policy does not allow this.' : decision.reason,
    {
      details: {
        decisionId: decision.id,
        hint: decision.hint ?? `Ask "fumehood policy explain ${decision.id}" which condition failed.`,
      },
    },
  );
}
