import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { selectLabelsByNode, selectNodes, selectNodesByName } from './lineage-store.ts';
import { NODE_KINDS } from './node.ts';
import { EDGE_KINDS, type EdgeKind, traceLineage } from './trace-lineage.ts';

/** The graph around one thing: `from` and `to` are node ids (`kind:id`), arrows in the direction of the data. */
export const LineageGraph = z.object({
  root: z.string(),
  nodes: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      name: z.string(),
      digest: z.string().optional(),
      labels: z.array(z.string()),
    }),
  ),
  edges: z.array(
    z.object({ from: z.string(), to: z.string(), kind: z.enum(EDGE_KINDS), relation: z.string(), time: z.string() }),
  ),
  truncated: z.boolean(),
});
export type LineageGraph = z.infer<typeof LineageGraph>;

/** What was asked for: `run:ID`, `model:NAME/VERSION`, `dataset:NAME@VERSION`, `object:BUCKET/KEY[@DIGEST]`, … */
export function parseNodeName(text: string): { kind: string; name: string } {
  const colon = text.indexOf(':');
  const kind = text.slice(0, colon);
  if (colon < 1 || colon === text.length - 1 || !(NODE_KINDS as readonly string[]).includes(kind)) {
    throw new AppError('invalid', `"${text}" names nothing in the lineage graph.`, {
      details: { field: 'node', hint: `Write KIND:ID, where KIND is one of ${NODE_KINDS.join(', ')}.` },
    });
  }
  return { kind, name: text.slice(colon + 1) };
}

/** Finds the node that a user means: by id, else the newest of that name. Throws `not_found`. */
export async function resolveNode(reader: Reader, text: string): Promise<string> {
  const { kind, name } = parseNodeName(text);
  const [exact] = await selectNodes(reader, [`${kind}:${name}`]);
  if (exact !== undefined) return exact.node_key;
  const [byName] = await selectNodesByName(reader, kind, name);
  if (byName !== undefined) return byName.node_key;
  throw new AppError('not_found', `Nothing named ${text} has crossed a wall yet.`, {
    details: { hint: `List them with "fumehood ${kind} list".` },
  });
}

/** Builds the graph around a node in one or both directions. */
export async function showLineage(
  reader: Reader,
  options: { node: string; directions: ('up' | 'down')[]; kinds: readonly EdgeKind[] },
): Promise<LineageGraph> {
  const root = await resolveNode(reader, options.node);
  const keys = new Set<string>([root]);
  const edges = new Map<string, LineageGraph['edges'][number]>();
  let truncated = false;
  for (const direction of options.directions) {
    const trace = await traceLineage(reader, { start: root, direction, kinds: options.kinds });
    truncated ||= trace.truncated;
    for (const key of trace.nodes) keys.add(key);
    for (const edge of trace.edges) {
      const { atMs, ...rest } = edge;
      edges.set(`${edge.from} ${edge.to} ${edge.kind} ${edge.relation}`, {
        ...rest,
        time: new Date(atMs).toISOString(),
      });
    }
  }
  const stored = new Map((await selectNodes(reader, [...keys])).map((node) => [node.node_key, node]));
  const labels = await selectLabelsByNode(reader, [...keys]);
  const nodes = [...keys].map((key) => {
    const node = stored.get(key);
    const digest = node?.digest ?? undefined;
    return {
      id: key,
      kind: key.slice(0, key.indexOf(':')),
      name: node?.name ?? key.slice(key.indexOf(':') + 1),
      ...(digest === undefined ? {} : { digest }),
      labels: labels.get(key) ?? [],
    };
  });
  return { root, nodes, edges: [...edges.values()], truncated };
}
