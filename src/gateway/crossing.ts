/** The five steps of every crossing: authenticate and parse come before, authorize and act-with-audit are here, respond comes after. */

import type { Clock } from '#kernel/clock.ts';
import { type AppError, toAppError } from '#kernel/errors.ts';
import type { Database, Reader, Tx } from '#kernel/sql.ts';
import type { AttestedRows, RowKey } from '#src/audit/attestation.ts';
import type { Committer, Outcome } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import type { NodeRef, Observation } from '#src/lineage/node.ts';
import {
  type Decision,
  nodeOfSubject,
  type PolicyObject,
  type Question,
  type Subject,
} from '#src/policies/decision.ts';

import { type Attesting, createAttesting } from './attest.ts';
import { deniedError, entryOf } from './crossing-entry.ts';

/** Who crosses: everything of the subject but its labels, which are read inside the transaction. */
export type Identity = Omit<Subject, 'labels'>;

/** What an act may say about itself while it runs. */
export type Crossing = {
  readonly subject: Subject;
  readonly decision: Decision;
  readonly nowMs: number;
  /** The labels that whatever is written now must carry: the subject's own and those of all that this act has read so far. */
  labels(): string[];
  /** The subject learns this thing's content (or that of its names): its labels come with it. */
  reads(node: NodeRef, relation?: string): Promise<void>;
  /** The subject makes or changes this thing, out of this run when it is known: it takes over the subject's labels. */
  writes(node: NodeRef, relation?: string, runId?: string): Promise<void>;
  /** Adds a fact to the audit entry: never a secret, a key or a body. */
  detail(key: string, value: string | number | boolean | null): void;
  /** This row is made, changed or removed by the act: the entry says how it stands afterwards. */
  attest(kind: string, ...key: RowKey): void;
};

export type CrossingRequest<T> = {
  identity: Identity;
  /** Which door or API it came through. */
  door: string;
  requestId: string;
  action: string;
  /** What it is about, for the audit entry. */
  object: { kind: string; id: string; name?: string; version?: string; digest?: string };
  /** The questions to policy, from the state inside the transaction. May throw `not_found`. */
  ask: (reader: Reader, subject: Subject) => Promise<Question[]>;
  /** Runs only when all questions are allowed. An AppError that it throws undoes it and is still an entry. */
  act: (tx: Tx, crossing: Crossing) => Promise<T>;
  /** Runs after the commit, before the answer goes. */
  onCommitted?: () => void;
};

export type LineageRecorder = {
  labelsOf(reader: Reader, nodes: NodeRef[]): Promise<string[]>;
  /** Adds labels to a node; they only grow. */
  addLabels(tx: Tx, node: NodeRef, labels: string[]): Promise<void>;
  observe(
    tx: Tx,
    by: { subject: Subject; atMs: number; requestId: string; action: string },
    observation: Observation,
  ): Promise<void>;
};

export type Decider = {
  /** Never throws: undefined, error and timeout are a denial. */
  decide(reader: Reader, asked: { subject: Subject; questions: Question[]; requestId: string }): Promise<Decision>;
  /** Keeps the decision with its input, so that it can be explained later. */
  record(tx: Tx, decision: Decision): Promise<void>;
};

export type CrossingDeps = {
  database: Database;
  committer: Committer;
  decider: Decider;
  lineage: LineageRecorder;
  clock: Clock;
  /** The rows that entries attest. */
  attested?: ReadonlyMap<string, AttestedRows>;
};

export type Gateway = {
  /** Decides, acts, audits in one transaction; answers when all is durable. */
  cross<T>(request: CrossingRequest<T>): Promise<T>;
  /** Asks policy before bytes are taken in (a large upload); a denial is audited, an allowance is decided again by `cross`. */
  check(request: Omit<CrossingRequest<unknown>, 'act'>): Promise<void>;
  /** An entry about something refused before any question could be asked (no identity, no such route, unreadable request). */
  refuse(refusal: {
    identity?: Identity;
    door: string;
    requestId: string;
    action: string;
    object: CrossingRequest<unknown>['object'];
    error: AppError;
  }): Promise<void>;
  /**
   * An act of the system itself (start, reaper, recovery): no policy is asked and the entry says so. With `about`, what the act
   * reads and writes counts as the sandbox's.
   */
  system<T>(request: SystemRequest<T>): Promise<T>;
};

export type SystemRequest<T> = {
  action: string;
  object: CrossingRequest<unknown>['object'];
  requestId: string;
  /** A function is asked inside the transaction, after the acts that were handed in before; when it throws, nothing happens. */
  about?: Identity | (() => Identity);
  outcome?: EntryDraft['outcome'];
  details?: EntryDraft['details'];
  act: (tx: Tx, crossing: Crossing) => Promise<T>;
};

/** Builds the gateway's core out of its five helpers. */
export function createGateway(deps: CrossingDeps): Gateway {
  const subjectOf = async (reader: Reader, identity: Identity): Promise<Subject> => ({
    ...identity,
    labels: identity.type === 'sandbox' ? await deps.lineage.labelsOf(reader, [nodeOfSubject(identity)]) : [],
  });

  return {
    cross: (request) => deps.committer.commit((tx) => runCrossing(deps, tx, request, subjectOf)),

    check: async (request) => {
      let denied: Decision | undefined;
      try {
        denied = await deps.database.peek(async (reader) => {
          const subject = await subjectOf(reader, request.identity);
          const questions = await request.ask(reader, subject);
          const decision = await deps.decider.decide(reader, { subject, questions, requestId: request.requestId });
          return decision.allowed ? undefined : decision;
        });
      } catch (thrown) {
        const code = toAppError(thrown).code;
        await deps.committer.commit(async () => ({
          entries: [entryOf(deps.clock.nowMs(), request, null, 'failed', { code })],
        }));
        throw thrown;
      }
      if (denied === undefined) return;
      const refusal = denied;
      await deps.committer.commit(async (tx) => {
        await deps.decider.record(tx, refusal);
        return {
          entries: [entryOf(deps.clock.nowMs(), request, refusal, 'denied', { reason: refusal.reason })],
          fail: deniedError(refusal),
        };
      });
    },

    refuse: async (refusal) => {
      await deps.committer.commit(async () => ({
        entries: [
          {
            ...entryOf(deps.clock.nowMs(), { ...refusal, identity: refusal.identity ?? ANONYMOUS }, null, 'denied', {
              code: refusal.error.code,
              reason: refusal.error.message,
            }),
            ...(refusal.identity === undefined ? { actor: { type: 'system', id: 'anonymous' } as const } : {}),
          },
        ],
      }));
    },

    system: (request) =>
      deps.committer.commit(async (tx) => {
        const nowMs = deps.clock.nowMs();
        const details = { ...request.details };
        const about = typeof request.about === 'function' ? request.about() : (request.about ?? SYSTEM);
        const subject = await subjectOf(tx, about);
        const attesting = createAttesting(deps.attested);
        const opened = openCrossing(deps, tx, { request, subject, decision: NO_DECISION, nowMs, details, attesting });
        const answer = await request.act(tx, opened);
        const entry: EntryDraft = {
          time: nowMs,
          actor: { type: 'system', id: 'fumehood' },
          action: request.action,
          object: request.object,
          decision: null,
          outcome: request.outcome ?? 'ok',
          requestId: request.requestId,
          ...(Object.keys(details).length > 0 ? { details } : {}),
        };
        return { entries: await attesting.entries(tx, entry, about.user), answer };
      }),
  };
}

const SYSTEM: Identity = { type: 'user', id: 'fumehood', user: 'fumehood', roles: [], scopes: [], purpose: '' };
const NO_DECISION: Decision = { id: '', allowed: true, bundles: [], inputDigest: '', reason: '' };
const ANONYMOUS: Identity = { type: 'user', id: 'anonymous', user: 'anonymous', roles: [], scopes: [], purpose: '' };

async function runCrossing<T>(
  deps: CrossingDeps,
  tx: Tx,
  request: CrossingRequest<T>,
  subjectOf: (reader: Reader, identity: Identity) => Promise<Subject>,
): Promise<Outcome<T>> {
  const nowMs = deps.clock.nowMs();
  const details: NonNullable<EntryDraft['details']> = {};
  let decision: Decision | null = null;
  try {
    const subject = await subjectOf(tx, request.identity);
    const questions = await request.ask(tx, subject);
    decision = await deps.decider.decide(tx, { subject, questions, requestId: request.requestId });
    await deps.decider.record(tx, decision);
    if (!decision.allowed) {
      return {
        entries: [entryOf(nowMs, request, decision, 'denied', { reason: decision.reason })],
        fail: deniedError(decision),
      };
    }
    const attesting = createAttesting(deps.attested);
    const opened = openCrossing(deps, tx, { request, subject, decision, nowMs, details, attesting });
    const answer = await tx.savepoint(() => request.act(tx, opened));
    const entry = entryOf(nowMs, request, decision, 'ok', details);
    return {
      entries: await attesting.entries(tx, entry, request.identity.user),
      answer,
      ...(request.onCommitted === undefined ? {} : { onCommitted: request.onCommitted }),
    };
  } catch (thrown) {
    const error = toAppError(thrown);
    return { entries: [entryOf(nowMs, request, decision, 'failed', { ...details, code: error.code })], fail: thrown };
  }
}

type Opening = {
  request: Pick<CrossingRequest<unknown>, 'requestId' | 'action'>;
  subject: Subject;
  decision: Decision;
  nowMs: number;
  details: NonNullable<EntryDraft['details']>;
  attesting: Attesting;
};

function openCrossing(deps: CrossingDeps, tx: Tx, opening: Opening): Crossing {
  const { request, subject, decision, nowMs, details, attesting } = opening;
  const labels = new Set(subject.labels);
  const by = { subject, atMs: nowMs, requestId: request.requestId, action: request.action };
  return {
    subject,
    decision,
    nowMs,
    labels: () => [...labels].sort(),
    reads: async (node, relation = 'read') => {
      const fresh = (await deps.lineage.labelsOf(tx, [node])).filter((label) => !labels.has(label));
      if (fresh.length > 0 && subject.type === 'sandbox')
        await deps.lineage.addLabels(tx, nodeOfSubject(subject), fresh);
      for (const label of fresh) labels.add(label);
      await deps.lineage.observe(tx, by, { node, relation, direction: 'in' });
    },
    writes: async (node, relation = 'wrote', runId = undefined) => {
      if (labels.size > 0) await deps.lineage.addLabels(tx, node, [...labels]);
      await deps.lineage.observe(tx, by, {
        node,
        relation,
        direction: 'out',
        ...(runId === undefined ? {} : { runId }),
      });
    },
    detail: (key, value) => {
      details[key] = value;
    },
    attest: (kind, ...key) => attesting.note(kind, key),
  };
}

/** The usual single question about one thing. */
export const question = (
  action: string,
  resource: Question['resource'],
  object: PolicyObject,
  requested?: number,
): Question => ({
  action,
  resource,
  object,
  ...(requested === undefined ? {} : { requested }),
});
