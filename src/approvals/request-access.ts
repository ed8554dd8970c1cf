import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { parseDuration } from '#kernel/quantities.ts';
import { type Approval, approvalObject } from './approval.ts';
import type { ApprovalDeps, Caller } from './approval-deps.ts';
import { insertApproval } from './approval-store.ts';

const DAY_MS = 86_400_000;
/** Nobody needs access for longer without being asked again. */
const LONGEST_MS = 366 * DAY_MS;

export const AccessRequest = z.strictObject({
  dataset: z.string().min(1).max(200),
  purpose: z.string().trim().min(3).max(500),
  until: z.string().max(40).default('1d').describe('how long (1d, 12h) or until when (2030-01-31T00:00:00Z)'),
});
export type AccessRequest = z.infer<typeof AccessRequest>;

/** Asks for access to a data set for a purpose. It waits until an officer who is somebody else decides, or until its end. */
export function requestAccess(deps: ApprovalDeps, caller: Caller, request: AccessRequest): Promise<Approval> {
  const { identity } = caller;
  const nowMs = deps.clock.nowMs();
  const approval: Approval = {
    id: deps.ids.next('apr'),
    requester: identity.user,
    dataset: request.dataset,
    purpose: request.purpose,
    labels: [],
    state: 'pending',
    requestedMs: nowMs,
    untilMs: endOf(request.until, nowMs),
    decidedBy: null,
    decidedMs: null,
    reason: '',
  };
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action: 'access.request',
    object: { kind: 'dataset', id: request.dataset, name: request.dataset },
    ask: async () => [{ action: 'access.request', resource: 'approval', object: approvalObject(approval) }],
    act: async (tx, { detail, attest }) => {
      const labels = await deps.tagsOfDataset(tx, request.dataset);
      if (labels === undefined) {
        throw new AppError('not_found', `There is no data set "${request.dataset}".`, {
          details: { field: 'dataset', hint: 'See "fumehood dataset list".' },
        });
      }
      const stored = { ...approval, labels };
      await insertApproval(tx, stored);
      attest('approval', approval.id);
      detail('approval', approval.id);
      detail('until', new Date(approval.untilMs).toISOString());
      return stored;
    },
  });
}

/** The end that a span or a time means; `invalid` when it is past or too far away. */
export function endOf(text: string, nowMs: number): number {
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : nowMs + parseDuration(text);
  if (Number.isFinite(time) && time > nowMs && time <= nowMs + LONGEST_MS) return time;
  throw new AppError('invalid', `"${text}" is not a time within the next year.`, {
    details: { field: 'until', hint: 'Write it like 12h, 1d or 2030-01-31T00:00:00Z.' },
  });
}
