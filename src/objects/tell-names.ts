import type { Tx } from '#kernel/sql.ts';
import type { Crossing, LineageRecorder } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';

/**
 * The subject learns names that carry labels, and takes those over. They hang on a node of the lineage graph of their own, one a place and
 * set of labels, because to see a name is not to read the content.
 */
export async function tellNames(
  deps: { lineage: Pick<LineageRecorder, 'addLabels'> },
  tx: Tx,
  crossing: Crossing,
  place: string,
  labels: string[],
): Promise<void> {
  if (labels.length === 0) return;
  const names: NodeRef = { kind: 'object', id: `${place}*@${labels.join('+')}`, name: `${place}*` };
  await deps.lineage.addLabels(tx, names, labels);
  await crossing.reads(names, 'listed');
}
