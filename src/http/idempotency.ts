import { createHash } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import {
  type AnswerKey,
  claimAnswer,
  findAnswer,
  forgetAnswers,
  type KeptAnswer,
  keepAnswer,
  releaseAnswer,
} from './answer-store.ts';

const KEPT_MS = 24 * 3600_000;
const SWEEP_MS = 3600_000;

export type Answer = { status: number; body: string | null };

export type Idempotency = {
  /** Runs `work` at most once for a key: a repeat gets the first answer, another body under the same key is a `conflict`. */
  once(at: AnswerKey & { body: Uint8Array; secret: boolean }, work: () => Promise<Answer>): Promise<Answer>;
};

/** Answers under idempotency keys, kept 24 h. A failed request frees its key; an answer that holds a secret is not kept, only that it was given. */
export function createIdempotency(deps: { database: Database; clock: Clock }): Idempotency {
  const running = new Map<string, { bodyDigest: string; answer: Promise<Answer> }>();
  let sweptMs = 0;

  const sweep = async (): Promise<void> => {
    const nowMs = deps.clock.nowMs();
    if (nowMs - sweptMs < SWEEP_MS) return;
    sweptMs = nowMs;
    await deps.database.transaction((tx) => forgetAnswers(tx, nowMs - KEPT_MS));
  };

  const first = async (at: AnswerKey, bodyDigest: string, secret: boolean, work: () => Promise<Answer>) => {
    await sweep();
    const claimed = await deps.database.transaction((tx) => claimAnswer(tx, at, bodyDigest, deps.clock.nowMs()));
    if (!claimed) {
      const kept = await deps.database.read((reader) => findAnswer(reader, at));
      return replay(kept, bodyDigest);
    }
    try {
      const answer = await work();
      await deps.database.transaction((tx) => keepAnswer(tx, at, secret ? { ...answer, body: null } : answer));
      return answer;
    } catch (error) {
      await deps.database.transaction((tx) => releaseAnswer(tx, at));
      throw error;
    }
  };

  return {
    once: (at, work) => {
      const bodyDigest = createHash('sha256').update(at.body).digest('hex');
      const name = JSON.stringify([at.user, at.route, at.key]);
      const other = running.get(name);
      if (other !== undefined) {
        if (other.bodyDigest !== bodyDigest) return Promise.reject(otherBody());
        if (at.secret) return Promise.reject(givenOnce());
        return other.answer;
      }
      const answer = first(at, bodyDigest, at.secret, work).finally(() => running.delete(name));
      running.set(name, { bodyDigest, answer });
      return answer;
    },
  };
}

function replay(kept: KeptAnswer | undefined, bodyDigest: string): Answer {
  if (kept === undefined)
    throw new AppError('conflict', 'A request with this Idempotency-Key is just ending.', {
      details: { hint: 'Send it again.' },
    });
  if (kept.bodyDigest !== bodyDigest) throw otherBody();
  if (kept.status === null)
    throw new AppError(
      'conflict',
      'The first request with this Idempotency-Key was interrupted; whether it took effect is not known.',
      {
        details: { hint: 'Look at what exists, then send it with a new key if it is still wanted.' },
      },
    );
  if (kept.body === null && kept.status !== 204) throw givenOnce();
  return { status: kept.status, body: kept.body };
}

const otherBody = (): AppError =>
  new AppError('conflict', 'This Idempotency-Key was used with another body.', {
    details: { hint: 'Use a new key for a new request.' },
  });

const givenOnce = (): AppError =>
  new AppError('conflict', 'This request was carried out already; its answer held a secret and is not given twice.', {
    details: { hint: 'Make a new one, and revoke the lost one.' },
  });
