import { createHash } from 'node:crypto';
import type { LineageGraph } from './show-lineage.ts';

const SCHEMA = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';
const DIGEST_FACET =
  'https://openlineage.io/spec/facets/1-0-0/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet';

/** OpenLineage 2-0-2 run events of a graph: one START and one COMPLETE for each sandbox in it, with what went in and came out. */
export function toOpenLineage(graph: LineageGraph, producer: string): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = [];
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const dataset = (id: string): Record<string, unknown> => {
    const node = byId.get(id);
    const version = node?.digest ?? id;
    return {
      namespace: `fumehood.${id.slice(0, id.indexOf(':'))}`,
      name: node?.name ?? id,
      facets: { version: { _producer: producer, _schemaURL: DIGEST_FACET, datasetVersion: version } },
    };
  };
  for (const node of graph.nodes.filter((one) => one.kind === 'sandbox')) {
    const incoming = graph.edges.filter((edge) => edge.to === node.id && edge.kind !== 'derived');
    const outgoing = graph.edges.filter((edge) => edge.from === node.id && edge.kind !== 'derived');
    const times = [...incoming, ...outgoing].map((edge) => edge.time).sort();
    const first = times[0];
    const last = times.at(-1);
    if (first === undefined || last === undefined) continue;
    const base = {
      producer,
      schemaURL: SCHEMA,
      run: { runId: uuidOf(node.id) },
      job: { namespace: 'fumehood.sandbox', name: node.name },
      inputs: incoming.map((edge) => dataset(edge.from)),
      outputs: outgoing.map((edge) => dataset(edge.to)),
    };
    events.push({ ...base, eventType: 'START', eventTime: first }, { ...base, eventType: 'COMPLETE', eventTime: last });
  }
  return events;
}

/** A UUID (version 8 of RFC 9562) that is the same for the same node. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
