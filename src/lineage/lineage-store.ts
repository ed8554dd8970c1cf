import { joinSql, listSql, type Reader, sql, type Tx } from '#kernel/sql.ts';
import type { NodeKind, NodeRef } from './node.ts';
import { nodeKey } from './node.ts';

export type EdgeOrigin = 'observed' | 'declared';

/** A folded crossing as stored; times in ms since the epoch. */
export type StoredEdge = {
  thing_key: string;
  subject_key: string;
  direction: 'in' | 'out';
  relation: string;
  run_key: string;
  origin: EdgeOrigin;
  first_ms: number;
  last_ms: number;
};

export type StoredNode = {
  node_key: string;
  kind: NodeKind;
  id: string;
  name: string | null;
  digest: string | null;
  first_seen_ms: number;
};

/** The union of the labels of these nodes, sorted. */
export async function selectLabels(reader: Reader, keys: string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const rows = await reader.all<{ label: string }>(
    sql`select distinct label from lineage_labels where node_key in ${listSql(keys)} order by label`,
  );
  return rows.map((row) => row.label);
}

/** The labels of each of these nodes. */
export async function selectLabelsByNode(reader: Reader, keys: string[]): Promise<Map<string, string[]>> {
  const labels = new Map<string, string[]>();
  if (keys.length === 0) return labels;
  const rows = await reader.all<{ node_key: string; label: string }>(
    sql`select node_key, label from lineage_labels where node_key in ${listSql(keys)} order by node_key, label`,
  );
  for (const row of rows) labels.set(row.node_key, [...(labels.get(row.node_key) ?? []), row.label]);
  return labels;
}

/** Adds labels to a node; those it has stay as they are. */
export async function insertLabels(tx: Tx, key: string, labels: string[], nowMs: number): Promise<void> {
  if (labels.length === 0) return;
  const rows = joinSql(
    labels.map((label) => sql`(${key}, ${label}, ${nowMs})`),
    ', ',
  );
  await tx.run(
    sql`insert into lineage_labels (node_key, label, since_ms) values ${rows} on conflict (node_key, label) do nothing`,
  );
}

/** Removes one label of a node: only an approval may lead here. */
export async function deleteLabel(tx: Tx, key: string, label: string): Promise<number> {
  return tx.run(sql`delete from lineage_labels where node_key = ${key} and label = ${label}`);
}

/** Adds the node, or fills in the name and digest that were not known before. */
export async function upsertNode(tx: Tx, node: NodeRef, nowMs: number): Promise<void> {
  await tx.run(sql`insert into lineage_nodes (node_key, kind, id, name, digest, first_seen_ms)
    values (${nodeKey(node)}, ${node.kind}, ${node.id}, ${node.name ?? null}, ${node.digest ?? null}, ${nowMs})
    on conflict (node_key) do update set name = coalesce(excluded.name, lineage_nodes.name), digest = coalesce(excluded.digest, lineage_nodes.digest)
    where (excluded.name is not null and lineage_nodes.name is distinct from excluded.name)
      or (excluded.digest is not null and lineage_nodes.digest is distinct from excluded.digest)`);
}

/** Adds a crossing or moves the last time of the same one. */
export async function upsertEdge(tx: Tx, edge: Omit<StoredEdge, 'last_ms'> & { request_id: string }): Promise<void> {
  await tx.run(sql`insert into lineage_edges (thing_key, subject_key, direction, relation, run_key, origin, first_ms, last_ms, request_id)
    values (${edge.thing_key}, ${edge.subject_key}, ${edge.direction}, ${edge.relation}, ${edge.run_key}, ${edge.origin}, ${edge.first_ms}, ${edge.first_ms}, ${edge.request_id})
    on conflict (thing_key, subject_key, relation, run_key, origin) do update set last_ms = excluded.last_ms`);
}

/** All edges in which a thing was taken in or made. */
export async function selectEdgesOfThings(
  reader: Reader,
  keys: string[],
  direction: 'in' | 'out',
): Promise<StoredEdge[]> {
  if (keys.length === 0) return [];
  return reader.all<StoredEdge>(sql`select thing_key, subject_key, direction, relation, run_key, origin, first_ms, last_ms
    from lineage_edges where thing_key in ${listSql(keys)} and direction = ${direction} order by first_ms, thing_key`);
}

/** All edges of subjects in one direction. */
export async function selectEdgesOfSubjects(
  reader: Reader,
  keys: string[],
  direction: 'in' | 'out',
): Promise<StoredEdge[]> {
  if (keys.length === 0) return [];
  return reader.all<StoredEdge>(sql`select thing_key, subject_key, direction, relation, run_key, origin, first_ms, last_ms
    from lineage_edges where subject_key in ${listSql(keys)} and direction = ${direction} order by first_ms, thing_key`);
}

/** Nodes by key. */
export async function selectNodes(reader: Reader, keys: string[]): Promise<StoredNode[]> {
  if (keys.length === 0) return [];
  return reader.all<StoredNode>(
    sql`select node_key, kind, id, name, digest, first_seen_ms from lineage_nodes where node_key in ${listSql(keys)}`,
  );
}

/** Nodes of a kind by name, newest first: what a user means by `object:bucket/key` or `dataset:customers`. */
export async function selectNodesByName(reader: Reader, kind: string, name: string): Promise<StoredNode[]> {
  return reader.all<StoredNode>(sql`select node_key, kind, id, name, digest, first_seen_ms from lineage_nodes
    where kind = ${kind} and (name = ${name} or id like ${`${name.replace(/[%_\\]/g, '')}@%`}) order by first_seen_ms desc, node_key limit 20`);
}

/** All edges that belong to runs, in one direction. */
export async function selectEdgesByRun(
  reader: Reader,
  runKeys: string[],
  direction: 'in' | 'out',
): Promise<StoredEdge[]> {
  if (runKeys.length === 0) return [];
  return reader.all<StoredEdge>(sql`select thing_key, subject_key, direction, relation, run_key, origin, first_ms, last_ms
    from lineage_edges where run_key in ${listSql(runKeys)} and direction = ${direction} order by first_ms, thing_key`);
}
