/** The noun: somebody's request for access to a data set, and what an officer made of it. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { PolicyObject } from '#src/policies/decision.ts';

export const STORED_STATES = ['pending', 'approved', 'denied', 'revoked'] as const;
export type StoredState = (typeof STORED_STATES)[number];
/** `expired` is not stored: it is what a pending or approved one is after its end. */
export const APPROVAL_STATES = [...STORED_STATES, 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** Times in ms; `labels` are the tags of the data set when access was asked for. */
export type Approval = {
  id: string;
  requester: string;
  dataset: string;
  purpose: string;
  labels: string[];
  state: StoredState;
  requestedMs: number;
  untilMs: number;
  decidedBy: string | null;
  decidedMs: number | null;
  reason: string;
};

/** The state at a time. */
export const stateAt = (approval: Approval, nowMs: number): ApprovalState =>
  (approval.state === 'approved' || approval.state === 'pending') && approval.untilMs <= nowMs
    ? 'expired'
    : approval.state;

/** The request as policy sees it: it belongs to its requester, who does not decide on it. */
export const approvalObject = (approval: Pick<Approval, 'id' | 'requester' | 'dataset' | 'purpose'>): PolicyObject => ({
  type: 'approval',
  id: approval.id,
  name: approval.dataset,
  owner: approval.requester,
  requester: approval.requester,
  purpose: approval.purpose,
  labels: [],
});

export const ApprovalView = z.object({
  id: z.string(),
  state: z.enum(APPROVAL_STATES),
  requester: z.string(),
  dataset: z.string(),
  purpose: z.string(),
  labels: z.array(z.string()),
  requestedAt: z.string(),
  until: z.string(),
  decidedBy: z.string().nullable(),
  decidedAt: z.string().nullable(),
  reason: z.string(),
});
export type ApprovalView = z.infer<typeof ApprovalView>;

/** The approval as the API shows it at a time; times as ISO 8601. */
export const viewApproval = (approval: Approval, nowMs: number): ApprovalView => ({
  id: approval.id,
  state: stateAt(approval, nowMs),
  requester: approval.requester,
  dataset: approval.dataset,
  purpose: approval.purpose,
  labels: approval.labels,
  requestedAt: new Date(approval.requestedMs).toISOString(),
  until: new Date(approval.untilMs).toISOString(),
  decidedBy: approval.decidedBy,
  decidedAt: approval.decidedMs === null ? null : new Date(approval.decidedMs).toISOString(),
  reason: approval.reason,
});

export const noSuchApproval = (id: string): AppError =>
  new AppError('not_found', `There is no access request "${id}".`, {
    details: { hint: 'See "fumehood approval list".' },
  });
