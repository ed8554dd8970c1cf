import { z } from 'zod';
import { type Route, route } from '#src/http/route.ts';
import type { Question } from '#src/policies/decision.ts';
import { toOpenLineage } from './openlineage.ts';
import { LineageGraph, showLineage } from './show-lineage.ts';
import { EDGE_KINDS, type EdgeKind } from './trace-lineage.ts';

const Query = z.object({
  node: z.string().min(3).max(2000).describe('KIND:ID, for example run:0a1b or dataset:topics@1'),
  direction: z.enum(['up', 'down', 'both']).default('both'),
  kinds: z
    .string()
    .default(EDGE_KINDS.join(','))
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(EDGE_KINDS)).min(1)),
});

const asked = (action: string, node: string) => async (): Promise<Question[]> => [
  { action, resource: 'lineage', object: { type: 'lineage', id: node, labels: [] } },
];

const directionsOf = (direction: 'up' | 'down' | 'both'): ('up' | 'down')[] =>
  direction === 'both' ? ['up', 'down'] : [direction];

/** `GET /api/v1/lineage` and its OpenLineage form. */
export function lineageRoutes(deps: { producer: string }): Route[] {
  return [
    route<
      Record<string, never>,
      { node: string; direction: 'up' | 'down' | 'both'; kinds: EdgeKind[] },
      undefined,
      LineageGraph
    >({
      method: 'GET',
      path: '/api/v1/lineage',
      action: 'lineage.read',
      resource: 'lineage',
      summary: 'The graph of what went into a thing and what came of it',
      query: Query as never,
      response: LineageGraph,
      handle: ({ query, cross }) =>
        cross({
          object: { kind: 'lineage', id: query.node },
          ask: asked('lineage.read', query.node),
          act: (tx) =>
            showLineage(tx, { node: query.node, directions: directionsOf(query.direction), kinds: query.kinds }),
        }),
    }),
    route<
      Record<string, never>,
      { node: string; direction: 'up' | 'down' | 'both'; kinds: EdgeKind[] },
      undefined,
      { items: unknown[]; next: null }
    >({
      method: 'GET',
      path: '/api/v1/lineage/openlineage',
      action: 'lineage.read',
      resource: 'lineage',
      summary: 'The same graph as OpenLineage run events',
      query: Query as never,
      response: z.object({ items: z.array(z.unknown()), next: z.null() }),
      handle: ({ query, cross }) =>
        cross({
          object: { kind: 'lineage', id: query.node },
          ask: asked('lineage.read', query.node),
          act: async (tx) => {
            const graph = await showLineage(tx, {
              node: query.node,
              directions: directionsOf(query.direction),
              kinds: query.kinds,
            });
            return { items: toOpenLineage(graph, deps.producer), next: null };
          },
        }),
    }),
  ];
}
