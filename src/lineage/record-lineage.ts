import type { Clock } from '#kernel/clock.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { LineageRecorder } from '#src/gateway/crossing.ts';
import { type EdgeOrigin, insertLabels, selectLabels, upsertEdge, upsertNode } from './lineage-store.ts';
import { type NodeRef, nodeKey } from './node.ts';

type Deps = {
  clock: Clock;
  /** The run that a sandbox has open now, if any: crossings of that time belong to it. */
  activeRunOf: (reader: Reader, sandboxId: string) => Promise<string | undefined>;
};

/** The recorder of the gateway, and what users state. */
export type Lineage = LineageRecorder & {
  /** An edge that a user states; it is kept apart from what was observed. */
  declare(
    tx: Tx,
    edge: {
      thing: NodeRef;
      subject: NodeRef;
      direction: 'in' | 'out';
      relation: string;
      requestId: string;
      runId?: string;
    },
  ): Promise<void>;
};

/** Writes what crossings observe: nodes, folded edges with their times and the run that was active, and labels that only grow. */
export function createLineageRecorder(deps: Deps): Lineage {
  const put = async (
    tx: Tx,
    edge: {
      thing: NodeRef;
      subject: NodeRef;
      direction: 'in' | 'out';
      relation: string;
      requestId: string;
      runKey: string;
      origin: EdgeOrigin;
      atMs: number;
    },
  ): Promise<void> => {
    await upsertNode(tx, edge.thing, edge.atMs);
    await upsertNode(tx, edge.subject, edge.atMs);
    await upsertEdge(tx, {
      thing_key: nodeKey(edge.thing),
      subject_key: nodeKey(edge.subject),
      direction: edge.direction,
      relation: edge.relation,
      run_key: edge.runKey,
      origin: edge.origin,
      first_ms: edge.atMs,
      request_id: edge.requestId,
    });
  };

  return {
    labelsOf: (reader, nodes) => selectLabels(reader, nodes.map(nodeKey)),
    addLabels: (tx, node, labels) => insertLabels(tx, nodeKey(node), labels, deps.clock.nowMs()),
    observe: async (tx, by, observation) => {
      const { subject } = by;
      const runId =
        observation.runId ?? (subject.type === 'sandbox' ? await deps.activeRunOf(tx, subject.id) : undefined);
      const ownRun = observation.node.kind === 'run' && observation.node.id === runId;
      await put(tx, {
        thing: observation.node,
        subject: { kind: subject.type, id: subject.id },
        direction: observation.direction,
        relation: observation.relation,
        requestId: by.requestId,
        runKey: runId === undefined || ownRun ? '' : nodeKey({ kind: 'run', id: runId }),
        origin: 'observed',
        atMs: by.atMs,
      });
    },
    declare: (tx, edge) =>
      put(tx, {
        ...edge,
        runKey: edge.runId === undefined ? '' : nodeKey({ kind: 'run', id: edge.runId }),
        origin: 'declared',
        atMs: deps.clock.nowMs(),
      }),
  };
}
