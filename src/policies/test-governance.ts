/** For tests: identity, policies, approvals and quotas as they are wired, over a real store and gateway; only the log is a simple one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomIds } from '#kernel/ids.ts';
import { type Database, rawSql } from '#kernel/sql.ts';
import { approvalsInForce } from '#src/approvals/approval-store.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createGateway, type Identity } from '#src/gateway/crossing.ts';
import { createAuthenticator } from '#src/identity/authenticate.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { QUOTA_DEFAULTS } from '#src/usage/quota.ts';
import { createQuotas } from '#src/usage/reserve-quota.ts';
import { createDecider } from './decide.ts';
import { findOpa } from './opa.ts';
import { openPolicies } from './open-policies.ts';

/** The stores that tests run on: SQLite, and PostgreSQL when FUMEHOOD_TEST_POSTGRES names one. */
export const STORES: { name: string; url: string | undefined }[] = [
  { name: 'SQLite', url: undefined },
  ...(process.env.FUMEHOOD_TEST_POSTGRES === undefined
    ? []
    : [{ name: 'PostgreSQL', url: process.env.FUMEHOOD_TEST_POSTGRES }]),
];

/** A person to cross as. */
export const personOf = (user: string, ...roles: string[]): Identity => ({
  type: 'user',
  id: user,
  user,
  roles,
  scopes: ['*'],
  purpose: '',
});

export async function openGovernance(url?: string) {
  const home = await mkdtemp(join(tmpdir(), 'fumehood-governance-'));
  const { database, drop } = await openStore(url, home);
  let offsetMs = 0;
  const clock = {
    nowMs: () => Date.now() + offsetMs,
    advance: (ms: number) => {
      offsetMs += ms;
    },
  };
  const entries: EntryDraft[] = [];
  const labels = new Map<string, string[]>();
  const key = (node: NodeRef): string => `${node.kind}:${node.id}`;
  const registry = await openPolicies({ database, clock });
  const quotas = createQuotas({ defaults: QUOTA_DEFAULTS });
  const decider = createDecider({ registry, clock, ids: randomIds, approvalsInForce, usageOf: quotas.usageOf });
  const gateway = createGateway({
    database,
    clock,
    decider,
    committer: createCommitter({
      database,
      log: {
        begin: async () => undefined,
        append: async (_tx, drafts) => {
          entries.push(...drafts);
          return { committed: () => undefined, durable: () => undefined, wasCommitted: async () => true };
        },
      },
    }),
    lineage: {
      labelsOf: async (_reader, nodes) => nodes.flatMap((node) => labels.get(key(node)) ?? []),
      addLabels: async (_tx, node, added) => void labels.set(key(node), [...(labels.get(key(node)) ?? []), ...added]),
      observe: async () => undefined,
    },
  });
  const authenticator = createAuthenticator({ database, clock });
  const shared = { gateway, clock, ids: randomIds };
  return {
    database,
    clock,
    entries,
    labels,
    registry,
    decider,
    gateway,
    quotas,
    authenticator,
    identity: { ...shared, authenticator },
    approvals: {
      ...shared,
      tagsOfDataset: async (_reader: unknown, name: string) => (name === 'customers' ? ['PII'] : undefined),
    },
    policies: { ...shared, database, registry, opa: () => findOpa() },
    close: async () => {
      await drop();
      await database.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function openStore(
  url: string | undefined,
  home: string,
): Promise<{ database: Database; drop(): Promise<void> }> {
  if (url === undefined)
    return { database: await openDatabase(`sqlite:${join(home, 'state.db')}`), drop: async () => undefined };
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
