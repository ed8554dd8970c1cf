import { z } from 'zod';
import { joinSql, type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Approval as ApprovalInForce } from '#src/policies/approval-in-force.ts';
import { type Approval, STORED_STATES, type StoredState } from './approval.ts';

type ApprovalRow = Row & {
  id: string;
  requester: string;
  dataset: string;
  purpose: string;
  labels: string;
  state: string;
  requested_ms: number;
  until_ms: number;
  decided_by: string | null;
  decided_ms: number | null;
  reason: string;
};

const Labels = z.array(z.string());
const State = z.enum(STORED_STATES);

const fromRow = (row: ApprovalRow): Approval => ({
  id: row.id,
  requester: row.requester,
  dataset: row.dataset,
  purpose: row.purpose,
  labels: Labels.parse(JSON.parse(row.labels)),
  state: State.parse(row.state),
  requestedMs: row.requested_ms,
  untilMs: row.until_ms,
  decidedBy: row.decided_by,
  decidedMs: row.decided_ms,
  reason: row.reason,
});

/** Adds a request. */
export async function insertApproval(tx: Tx, approval: Approval): Promise<void> {
  const { id, requester, dataset, purpose, labels, state, requestedMs, untilMs, decidedBy, decidedMs, reason } =
    approval;
  await tx.run(sql`insert into approvals
    (id, requester, dataset, purpose, labels, state, requested_ms, until_ms, decided_by, decided_ms, reason)
    values (${id}, ${requester}, ${dataset}, ${purpose}, ${JSON.stringify(labels)}, ${state}, ${requestedMs}, ${untilMs},
      ${decidedBy}, ${decidedMs}, ${reason})`);
}

/** One request by its id. */
export async function selectApproval(reader: Reader, id: string): Promise<Approval | undefined> {
  const row = await reader.get<ApprovalRow>(sql`select * from approvals where id = ${id}`);
  return row === undefined ? undefined : fromRow(row);
}

/** Writes what was decided on a request. */
export async function updateApproval(
  tx: Tx,
  id: string,
  decided: { state: StoredState; by: string; atMs: number; untilMs: number; reason: string },
): Promise<void> {
  await tx.run(sql`update approvals set state = ${decided.state}, decided_by = ${decided.by}, decided_ms = ${decided.atMs},
    until_ms = ${decided.untilMs}, reason = ${decided.reason} where id = ${id}`);
}

/** A page of requests, newest first, of one requester or of all. */
export async function selectApprovals(
  reader: Reader,
  options: { requester: string | undefined; before: { requestedMs: number; id: string } | undefined; limit: number },
): Promise<Approval[]> {
  const { requester, before, limit } = options;
  const conditions = [sql`1 = 1`];
  if (requester !== undefined) conditions.push(sql`requester = ${requester}`);
  if (before !== undefined)
    conditions.push(
      sql`(requested_ms < ${before.requestedMs} or (requested_ms = ${before.requestedMs} and id < ${before.id}))`,
    );
  const rows = await reader.all<ApprovalRow>(
    sql`select * from approvals where ${joinSql(conditions, ' and ')} order by requested_ms desc, id desc limit ${limit}`,
  );
  return rows.map(fromRow);
}

/** The approvals of a user that are in force at a time, as policy sees them. */
export async function approvalsInForce(reader: Reader, user: string, nowMs: number): Promise<ApprovalInForce[]> {
  const rows = await reader.all<ApprovalRow>(
    sql`select * from approvals where requester = ${user} and state = 'approved' and until_ms > ${nowMs} order by id`,
  );
  return rows.map(fromRow).map(({ id, dataset, purpose, labels, untilMs }) => ({
    id,
    dataset,
    purpose,
    labels,
    until: new Date(untilMs).toISOString(),
  }));
}
