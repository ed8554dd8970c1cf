import { z } from 'zod';
import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Bundle } from './bundle.ts';
import { Kinds, type PolicyVersion } from './policy.ts';

type BundleRow = Row & {
  digest: string;
  kind: string;
  source: string;
  wasm: Uint8Array;
  data: string;
  entrypoints: string;
};

/** Keeps a bundle; one that is there already stays. */
export async function insertBundle(tx: Tx, bundle: Bundle, nowMs: number): Promise<void> {
  await tx.run(sql`insert into policy_bundles (digest, kind, source, wasm, data, entrypoints, created_ms)
    values (${bundle.digest}, ${bundle.kind}, ${bundle.source}, ${bundle.wasm}, ${bundle.data},
      ${JSON.stringify(bundle.entrypoints)}, ${nowMs}) on conflict (digest) do nothing`);
}

/** One bundle by its digest. */
export async function selectBundle(reader: Reader, digest: string): Promise<Bundle | undefined> {
  const row = await reader.get<BundleRow>(sql`select * from policy_bundles where digest = ${digest}`);
  if (row === undefined) return undefined;
  return {
    digest: row.digest,
    kind: z.enum(['default', 'user']).parse(row.kind),
    source: row.source,
    wasm: row.wasm,
    data: row.data,
    entrypoints: z.record(z.string(), z.string()).parse(JSON.parse(row.entrypoints)),
  };
}

type VersionRow = Row & {
  name: string;
  version: number;
  digest: string;
  kinds: string;
  removed: number;
  applied_by: string;
  applied_ms: number;
  submitted: string;
};

const fromRow = (row: VersionRow): PolicyVersion => ({
  name: row.name,
  version: row.version,
  digest: row.digest,
  kinds: Kinds.parse(JSON.parse(row.kinds)),
  removed: row.removed === 1,
  appliedBy: row.applied_by,
  appliedMs: row.applied_ms,
  submitted: row.submitted,
});

/** Adds a version, which is the one in force from now on. */
export async function insertPolicyVersion(tx: Tx, policy: PolicyVersion): Promise<void> {
  const { name, version, digest, kinds, removed, appliedBy, appliedMs, submitted } = policy;
  await tx.run(sql`insert into policy_versions (name, version, digest, kinds, removed, applied_by, applied_ms, submitted)
    values (${name}, ${version}, ${digest}, ${JSON.stringify(kinds)}, ${removed ? 1 : 0}, ${appliedBy}, ${appliedMs}, ${submitted})`);
}

/** All versions of a policy, newest first. */
export async function selectPolicyVersions(reader: Reader, name: string): Promise<PolicyVersion[]> {
  const rows = await reader.all<VersionRow>(
    sql`select * from policy_versions where name = ${name} order by version desc`,
  );
  return rows.map(fromRow);
}

/** The policies in force, by name. */
export async function selectPoliciesInForce(reader: Reader): Promise<PolicyVersion[]> {
  const rows = await reader.all<VersionRow>(sql`select p.* from policy_versions p
    where p.removed = 0 and p.version = (select max(q.version) from policy_versions q where q.name = p.name) order by p.name`);
  return rows.map(fromRow);
}
