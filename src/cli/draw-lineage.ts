import { cell } from './cell.ts';

type GraphNode = { id: string; kind: string; name: string; digest?: string | undefined; labels?: string[] };
type GraphEdge = { from: string; to: string; kind: string; relation: string };
export type Graph = { root?: string; nodes: GraphNode[]; edges: GraphEdge[] };

const LARGEST_DEPTH = 64;

/** The graph as trees for a terminal: what went into the root, and what came of it. A node that was drawn already is only named. */
export function drawLineage(graph: Graph, root: string, direction: 'up' | 'down' | 'both'): string {
  const start = graph.nodes.find((node) => node.id === (graph.root ?? root));
  if (start === undefined) return `${cell(root)}\n  nothing is known of it\n`;
  const parts = [`${title(start)}\n`];
  for (const way of direction === 'both' ? (['up', 'down'] as const) : [direction]) {
    const lines: string[] = [];
    branch(graph, start.id, way, '  ', new Set([start.id]), lines);
    parts.push(way === 'up' ? 'came from\n' : 'led to\n', ...(lines.length === 0 ? ['  nothing\n'] : lines));
  }
  return parts.join('');
}

const title = (node: GraphNode): string => {
  const name = node.name === '' || node.id.endsWith(node.name) ? '' : ` ${cell(node.name)}`;
  const digest = node.digest === undefined ? '' : ` ${cell(node.digest).slice(0, 19)}`;
  const labels = node.labels === undefined || node.labels.length === 0 ? '' : ` [${node.labels.map(cell).join(', ')}]`;
  return `${cell(node.id)}${name}${digest}${labels}`;
};

function branch(
  graph: Graph,
  id: string,
  way: 'up' | 'down',
  indent: string,
  seen: Set<string>,
  lines: string[],
): void {
  const edges = graph.edges.filter((edge) => (way === 'up' ? edge.to : edge.from) === id);
  edges.forEach((edge, at) => {
    const last = at === edges.length - 1;
    const other = way === 'up' ? edge.from : edge.to;
    const node = graph.nodes.find((one) => one.id === other);
    const again = seen.has(other);
    const text = node === undefined ? cell(other) : title(node);
    lines.push(
      `${indent}${last ? '└─' : '├─'} ${cell(edge.relation)} (${cell(edge.kind)}) ${text}${again ? ' (see above)' : ''}\n`,
    );
    if (again || indent.length > 3 * LARGEST_DEPTH) return;
    seen.add(other);
    branch(graph, other, way, `${indent}${last ? '   ' : '│  '}`, seen, lines);
  });
}
