import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { drawLineage, type Graph } from '../draw-lineage.ts';

/** `fumehood lineage`. */
export const lineage: readonly Command[] = [
  {
    verb: 'show',
    summary: 'The graph of what went into a thing and what came of it',
    example: 'fumehood lineage show model:tiny-gpt/1 --up',
    args: [{ name: 'KIND:ID', help: 'such as run:0a1b, model:tiny-gpt/1, dataset:topics@1' }],
    flags: [
      { name: 'up', help: 'only what went into it' },
      { name: 'down', help: 'only what came of it' },
      { name: 'kinds', value: 'KINDS', help: 'observed,derived,declared (all of them by default)' },
      { name: 'openlineage', help: 'OpenLineage run events instead' },
    ],
    run: async (context) => {
      const { on, out } = context;
      const node = context.arg('KIND:ID');
      const direction = on('up') === on('down') ? 'both' : on('up') ? 'up' : 'down';
      const query = { node, direction, kinds: context.text('kinds') };
      if (on('openlineage')) {
        const events = await context.api.send('GET', at('lineage', 'openlineage'), { query });
        out.data(`${JSON.stringify(events)}\n`);
        return undefined;
      }
      const graph = await context.api.send<Graph>('GET', at('lineage'), { query });
      out.text(out.json ? '' : drawLineage(graph, node, direction), graph);
      return undefined;
    },
  },
];
