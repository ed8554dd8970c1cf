/** A gateway over a real store and committer, for tests; policy and log are the only simple ones. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomIds } from '#kernel/ids.ts';
import { type Database, rawSql } from '#kernel/sql.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createLineageRecorder } from '#src/lineage/record-lineage.ts';
import type { Question, Subject } from '#src/policies/decision.ts';
import { createGateway, type Gateway, type Identity, type LineageRecorder } from './crossing.ts';

export type TestGateway = {
  home: string;
  database: Database;
  gateway: Gateway;
  lineage: LineageRecorder;
  entries: EntryDraft[];
  asked: Question[];
  clock: { nowMs(): number; advance(ms: number): void };
  /** What policy says from now on; everything is allowed at first. */
  policy: { allows: (question: Question, subject: Subject) => boolean };
  close(): Promise<void>;
};

/** The stores that tests run on: SQLite, and PostgreSQL when FUMEHOOD_TEST_POSTGRES names one. */
export const TEST_STORES: { name: string; url: string | undefined }[] = [
  { name: 'SQLite', url: undefined },
  ...(process.env.FUMEHOOD_TEST_POSTGRES === undefined
    ? []
    : [{ name: 'PostgreSQL', url: process.env.FUMEHOOD_TEST_POSTGRES }]),
];

const WILDCARD = ['*'];

/** A person to cross as. */
export const person = (user: string): Identity => ({
  type: 'user',
  id: user,
  user,
  roles: ['engineer'],
  scopes: WILDCARD,
  purpose: '',
});

/** A sandbox that acts for a person. */
export const sandboxOf = (id: string, user: string): Identity => ({ ...person(user), type: 'sandbox', id });

/** Opens a gateway in a folder of its own, or in a schema of its own; `close` removes it. */
export async function openTestGateway(url?: string): Promise<TestGateway> {
  const home = await mkdtemp(join(tmpdir(), 'fumehood-gateway-'));
  const { database, drop } = await openStore(url, home);
  let offsetMs = 0;
  const clock = {
    nowMs: () => Date.now() + offsetMs,
    advance: (ms: number) => {
      offsetMs += ms;
    },
  };
  const entries: EntryDraft[] = [];
  const asked: Question[] = [];
  const policy: TestGateway['policy'] = { allows: () => true };
  const lineage = createLineageRecorder({ clock, activeRunOf: async () => undefined });
  const log = {
    begin: async () => undefined,
    append: async (_tx: unknown, drafts: EntryDraft[]) => {
      entries.push(...drafts);
      return { committed: () => undefined, durable: () => undefined, wasCommitted: async () => true };
    },
  };
  const committer = createCommitter({ database, log });
  const gateway = createGateway({
    database,
    committer,
    decider: {
      decide: async (_reader, { subject, questions }) => {
        asked.push(...questions);
        const refused = questions.find((question) => !policy.allows(question, subject));
        const reason = refused === undefined ? '' : `no rule allows ${refused.action} on ${refused.object.id}`;
        return { id: randomIds.next('decision'), allowed: refused === undefined, bundles: [], inputDigest: '', reason };
      },
      record: async () => undefined,
    },
    lineage,
    clock,
  });
  const close = async (): Promise<void> => {
    await committer.drain();
    await drop();
    await database.close();
    await rm(home, { recursive: true, force: true });
  };
  return { home, database, gateway, lineage, entries, asked, clock, policy, close };
}

async function openStore(
  url: string | undefined,
  home: string,
): Promise<{ database: Database; drop(): Promise<void> }> {
  if (url === undefined) {
    return { database: await openDatabase(`sqlite:${join(home, 'state.db')}`), drop: async () => undefined };
  }
  const schema = `test_${randomIds.next('g').slice(2, 14)}`;
  const { openPostgres } = await import('#src/database/postgres.ts');
  const admin = openPostgres({ url, connections: 1 });
  await admin.transaction((tx) => tx.run(rawSql(`create schema ${schema}`)));
  const inSchema = new URL(url);
  inSchema.searchParams.set('options', `-c search_path=${schema}`);
  const drop = async (): Promise<void> => {
    await admin.transaction((tx) => tx.run(rawSql(`drop schema ${schema} cascade`)));
    await admin.close();
  };
  return { database: await openDatabase(inSchema.toString()), drop };
}
