import type { Reader } from '#kernel/sql.ts';
import { type StoredEdge, selectEdgesByRun, selectEdgesOfSubjects, selectEdgesOfThings } from './lineage-store.ts';

export const EDGE_KINDS = ['observed', 'derived', 'declared'] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

/** An arrow in the direction in which data flowed. */
export type TraceEdge = { from: string; to: string; kind: EdgeKind; relation: string; atMs: number };

export type Trace = { nodes: Set<string>; edges: TraceEdge[]; truncated: boolean };

const LARGEST_TRACE = 2000;

type Step = { key: string; atMs: number };

/**
 * Follows data from `start`: `up` to what it was made from, `down` to what was made from it. A sandbox passes on only what it
 * took in before it gave out: each arrow of the answer is one that crossed, was derived from two that crossed in that order, or was declared.
 */
export async function traceLineage(
  reader: Reader,
  options: { start: string; direction: 'up' | 'down'; kinds: readonly EdgeKind[] },
): Promise<Trace> {
  const trace: Trace = { nodes: new Set([options.start]), edges: [], truncated: false };
  const seen = new Set<string>();
  let frontier: Step[] = [{ key: options.start, atMs: options.direction === 'up' ? Number.MAX_SAFE_INTEGER : 0 }];
  while (frontier.length > 0) {
    const { direct, pairs } =
      options.direction === 'up' ? await stepUp(reader, frontier) : await stepDown(reader, frontier);
    const next = new Map<string, number>();
    const found = options.kinds.includes('derived') ? chain(direct, pairs) : direct;
    for (const { edge, onward } of found) {
      if (!options.kinds.includes(edge.kind)) continue;
      const name = `${edge.from} ${edge.to} ${edge.kind} ${edge.relation}`;
      const far = options.direction === 'up' ? edge.from : edge.to;
      trace.nodes.add(edge.from).add(edge.to);
      if (seen.has(name)) continue;
      seen.add(name);
      trace.edges.push(edge);
      if (onward !== undefined) next.set(far, widest(options.direction, next.get(far), onward));
      if (trace.edges.length > LARGEST_TRACE) return { ...trace, truncated: true };
    }
    frontier = [...next].map(([key, atMs]) => ({ key, atMs }));
  }
  return trace;
}

const widest = (direction: 'up' | 'down', a: number | undefined, b: number): number =>
  a === undefined ? b : direction === 'up' ? Math.max(a, b) : Math.min(a, b);

type Found = { edge: TraceEdge; onward: number | undefined };

/** Arrows of one step. Those that are derived of pairs may be far more than are ever shown: they are made one by one. */
type Arrows = { direct: Found[]; pairs: Iterable<Found> };

function* chain(...parts: Iterable<Found>[]): Generator<Found> {
  for (const part of parts) yield* part;
}

const isSubject = (key: string): boolean => key.startsWith('sandbox:') || key.startsWith('user:');

/** Arrows that end at these nodes. For a thing: who wrote it and what they had taken in by then; for a sandbox: what it took in. */
async function stepUp(reader: Reader, frontier: Step[]): Promise<Arrows> {
  const found: Found[] = [];
  const bound = new Map(frontier.map((step) => [step.key, step.atMs]));
  const subjects = frontier.filter((step) => isSubject(step.key)).map((step) => step.key);
  for (const edge of await selectEdgesOfSubjects(reader, subjects, 'in')) {
    if (edge.first_ms <= (bound.get(edge.subject_key) ?? 0)) found.push(arrow(edge, 'up'));
  }
  const things = frontier.filter((step) => !isSubject(step.key)).map((step) => step.key);
  const writes = (await selectEdgesOfThings(reader, things, 'out')).filter(
    (edge) => edge.first_ms <= (bound.get(edge.thing_key) ?? 0),
  );
  for (const edge of writes) {
    found.push(arrow(edge, 'up'));
    if (edge.run_key !== '') found.push(runArrow(edge));
  }
  for (const edge of await selectEdgesByRun(reader, things, 'in')) {
    if (edge.first_ms <= (bound.get(edge.run_key) ?? 0)) found.push(runArrow(edge));
  }
  const reads = Map.groupBy(await selectEdgesOfSubjects(reader, sandboxesOf(writes), 'in'), subjectOf);
  return { direct: found, pairs: derivedUp(writes, reads) };
}

function* derivedUp(writes: StoredEdge[], reads: ReadonlyMap<string, StoredEdge[]>): Generator<Found> {
  for (const write of writes)
    for (const read of reads.get(write.subject_key) ?? [])
      if (isCarried(read, write)) yield { edge: derived(read, write), onward: read.last_ms };
}

/** Arrows that start at these nodes. For a thing: who took it in; for a sandbox: what it gave out from then on. */
async function stepDown(reader: Reader, frontier: Step[]): Promise<Arrows> {
  const found: Found[] = [];
  const bound = new Map(frontier.map((step) => [step.key, step.atMs]));
  const subjects = frontier.filter((step) => isSubject(step.key)).map((step) => step.key);
  for (const edge of await selectEdgesOfSubjects(reader, subjects, 'out')) {
    if (edge.last_ms >= (bound.get(edge.subject_key) ?? 0)) found.push(arrow(edge, 'down'));
  }
  const things = frontier.filter((step) => !isSubject(step.key)).map((step) => step.key);
  const reads = await selectEdgesOfThings(reader, things, 'in');
  for (const edge of reads) {
    found.push(arrow(edge, 'down'));
    if (edge.run_key !== '') found.push({ ...runArrow(edge), onward: edge.first_ms });
  }
  for (const edge of await selectEdgesByRun(reader, things, 'out'))
    found.push({ ...runArrow(edge), onward: edge.first_ms });
  const writes = Map.groupBy(await selectEdgesOfSubjects(reader, sandboxesOf(reads), 'out'), subjectOf);
  return { direct: found, pairs: derivedDown(reads, writes) };
}

function* derivedDown(reads: StoredEdge[], writes: ReadonlyMap<string, StoredEdge[]>): Generator<Found> {
  for (const read of reads)
    for (const write of writes.get(read.subject_key) ?? [])
      if (isCarried(read, write)) yield { edge: derived(read, write), onward: write.first_ms };
}

const subjectOf = (edge: StoredEdge): string => edge.subject_key;

/** Whether what a sandbox read may be in what it wrote. */
const isCarried = (read: StoredEdge, write: StoredEdge): boolean =>
  read.first_ms <= write.last_ms && read.thing_key !== write.thing_key;

const sandboxesOf = (edges: StoredEdge[]): string[] => [
  ...new Set(edges.map((edge) => edge.subject_key).filter((key) => key.startsWith('sandbox:'))),
];

function arrow(edge: StoredEdge, direction: 'up' | 'down'): Found {
  const [from, to] = edge.direction === 'in' ? [edge.thing_key, edge.subject_key] : [edge.subject_key, edge.thing_key];
  const atMs = direction === 'up' ? edge.last_ms : edge.first_ms;
  return { edge: { from, to, kind: edge.origin, relation: edge.relation, atMs: edge.first_ms }, onward: atMs };
}

function runArrow(edge: StoredEdge): Found {
  const [from, to] = edge.direction === 'in' ? [edge.thing_key, edge.run_key] : [edge.run_key, edge.thing_key];
  return { edge: { from, to, kind: edge.origin, relation: edge.relation, atMs: edge.first_ms }, onward: edge.last_ms };
}

const derived = (read: StoredEdge, write: StoredEdge): TraceEdge => ({
  from: read.thing_key,
  to: write.thing_key,
  kind: 'derived',
  relation: 'read before write',
  atMs: write.last_ms,
});
