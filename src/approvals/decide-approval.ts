import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Approval, approvalObject, noSuchApproval, type StoredState, stateAt } from './approval.ts';
import type { ApprovalDeps, Caller } from './approval-deps.ts';
import { selectApproval, updateApproval } from './approval-store.ts';
import { endOf } from './request-access.ts';

export const ApprovalDecision = z.strictObject({
  reason: z.string().trim().min(3).max(500),
  until: z.string().max(40).optional().describe('an end earlier than the one that was asked for'),
});
export type ApprovalDecision = z.infer<typeof ApprovalDecision>;

type Verb = { action: string; from: StoredState; to: StoredState };
const VERBS = {
  approve: { action: 'approval.approve', from: 'pending', to: 'approved' },
  deny: { action: 'approval.deny', from: 'pending', to: 'denied' },
  revoke: { action: 'approval.revoke', from: 'approved', to: 'revoked' },
} as const satisfies Record<string, Verb>;

/** Approves, denies or revokes. Nobody approves or denies their own request, whatever policy says. Takes effect at the next crossing. */
export function decideApproval(
  deps: ApprovalDeps,
  caller: Caller,
  decided: { verb: keyof typeof VERBS; id: string } & ApprovalDecision,
): Promise<Approval> {
  const verb: Verb = VERBS[decided.verb];
  const { id, reason } = decided;
  let found: Approval | undefined;
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action: verb.action,
    object: { kind: 'approval', id },
    ask: async (reader) => {
      found = await selectApproval(reader, id);
      if (found === undefined) throw noSuchApproval(id);
      return [{ action: verb.action, resource: 'approval', object: approvalObject(found) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw noSuchApproval(id);
      const { nowMs, subject } = crossing;
      if (decided.verb !== 'revoke' && found.requester === subject.user)
        throw new AppError('denied', 'Nobody decides on their own request.', {
          details: { hint: 'Ask an officer who is somebody else.' },
        });
      refuseWrongState(found, verb, nowMs);
      const untilMs =
        decided.until === undefined ? found.untilMs : Math.min(found.untilMs, endOf(decided.until, nowMs));
      await updateApproval(tx, id, { state: verb.to, by: subject.user, atMs: nowMs, untilMs, reason });
      crossing.attest('approval', id);
      crossing.detail('dataset', found.dataset);
      if (decided.verb === 'approve') {
        await crossing.writes({ kind: 'approval', id, name: `${found.dataset} for ${found.requester}` }, 'approved');
      }
      return { ...found, state: verb.to, untilMs, decidedBy: subject.user, decidedMs: nowMs, reason };
    },
  });
}

function refuseWrongState(approval: Approval, verb: Verb, nowMs: number): void {
  const state = stateAt(approval, nowMs);
  if (state === verb.from) return;
  throw new AppError('conflict', `The request ${approval.id} is ${state}, not ${verb.from}.`, {
    details: { hint: 'See "fumehood approval list"; a new one is made by "fumehood access request".' },
  });
}
