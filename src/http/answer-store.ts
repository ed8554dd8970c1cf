import { type Reader, sql, type Tx } from '#kernel/sql.ts';

/** Whose key it is and for which route. */
export type AnswerKey = { user: string; route: string; key: string };

/** A kept answer; `status` is null while the request runs, or when it ran as the control plane died. */
export type KeptAnswer = { bodyDigest: string; status: number | null; body: string | null };

/** Claims a key for a request; false when it is taken. */
export async function claimAnswer(tx: Tx, at: AnswerKey, bodyDigest: string, nowMs: number): Promise<boolean> {
  const changed = await tx.run(sql`
    insert into http_answers (user_name, route, idempotency_key, body_digest, status, body, created_ms)
    values (${at.user}, ${at.route}, ${at.key}, ${bodyDigest}, ${null}, ${null}, ${nowMs})
    on conflict do nothing`);
  return changed === 1;
}

/** The answer kept under a key, if any. */
export async function findAnswer(reader: Reader, at: AnswerKey): Promise<KeptAnswer | undefined> {
  const row = await reader.get<{ body_digest: string; status: number | null; body: string | null }>(sql`
    select body_digest, status, body from http_answers
    where user_name = ${at.user} and route = ${at.route} and idempotency_key = ${at.key}`);
  return row === undefined ? undefined : { bodyDigest: row.body_digest, status: row.status, body: row.body };
}

/** Keeps the answer of a claimed key. */
export async function keepAnswer(
  tx: Tx,
  at: AnswerKey,
  answer: { status: number; body: string | null },
): Promise<void> {
  await tx.run(sql`
    update http_answers set status = ${answer.status}, body = ${answer.body}
    where user_name = ${at.user} and route = ${at.route} and idempotency_key = ${at.key}`);
}

/** Lets go of a key whose request failed, so that it may be tried again. */
export async function releaseAnswer(tx: Tx, at: AnswerKey): Promise<void> {
  await tx.run(sql`
    delete from http_answers
    where user_name = ${at.user} and route = ${at.route} and idempotency_key = ${at.key}`);
}

/** Forgets the answers that are older than a time. */
export async function forgetAnswers(tx: Tx, beforeMs: number): Promise<void> {
  await tx.run(sql`delete from http_answers where created_ms < ${beforeMs}`);
}
