import type { Tx } from '#kernel/sql.ts';
import { upsertEdge, upsertNode } from '#src/lineage/lineage-store.ts';
import { type NodeRef, nodeKey } from '#src/lineage/node.ts';

const LEVELS = 3;
const WIDTH = 1500;

/** Sandboxes that each read as many objects as the one before wrote, and the model that came of them: gives its key. */
export async function fillLineage(tx: Tx): Promise<string> {
  const objectsOf = (level: number): NodeRef[] =>
    Array.from({ length: WIDTH }, (_, at) => ({ kind: 'object', id: `many/${level}/${at}` }));
  for (let level = 0; level < LEVELS; level += 1) {
    const sandbox: NodeRef = { kind: 'sandbox', id: `sb-many-${level}` };
    await upsertNode(tx, sandbox, level);
    for (const node of objectsOf(level)) await note(tx, node, sandbox, 'in', 2 * level);
    if (level < LEVELS - 1)
      for (const node of objectsOf(level + 1)) await note(tx, node, sandbox, 'out', 2 * level + 1);
  }
  const root: NodeRef = { kind: 'model', id: 'many/1' };
  await note(tx, root, { kind: 'sandbox', id: `sb-many-${LEVELS - 1}` }, 'out', 2 * LEVELS);
  return nodeKey(root);
}

async function note(tx: Tx, node: NodeRef, by: NodeRef, direction: 'in' | 'out', atMs: number): Promise<void> {
  await upsertNode(tx, node, atMs);
  await upsertEdge(tx, {
    thing_key: nodeKey(node),
    subject_key: nodeKey(by),
    direction,
    relation: direction === 'in' ? 'read' : 'wrote',
    run_key: '',
    origin: 'observed',
    first_ms: atMs,
    request_id: 'req-many',
  });
}
