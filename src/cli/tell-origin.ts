import { AppError } from '#kernel/errors.ts';
import { at } from './api-client.ts';
import { cell } from './cell.ts';
import type { Context } from './command.ts';
import type { Graph } from './draw-lineage.ts';

type Run = { id: string; name: string; sandbox: string | null; page: string | null };

/** What a reader wants to know of where something came from; the rest is in "lineage show". */
const TOLD = ['dataset', 'object', 'model', 'environment', 'secret'];

/** One line a tracked run of a sandbox (or one for the sandbox): the address of its page, what went into it and what came of it. Gives the runs' ids. */
export async function tellOrigin(context: Context, sandboxId: string): Promise<string[]> {
  try {
    const { items } = await context.api.send<{ items: Run[] }>('GET', at('runs'), { query: { limit: 100 } });
    const runs = items.filter((run) => run.sandbox === sandboxId);
    for (const run of runs) {
      const named = [`run ${run.id} "${cell(run.name)}"`, ...(run.page === null ? [] : [run.page])].join(' ');
      context.out.note(`${named} ${await originOf(context, `run:${run.id}`)}`);
    }
    if (runs.length === 0) context.out.note(`no run was tracked; ${await originOf(context, `sandbox:${sandboxId}`)}`);
    context.out.next(...runs.slice(0, 1).map((run) => `fumehood run open ${run.id}`));
    return runs.map((run) => run.id);
  } catch (error) {
    // Whoever may run code may still be refused to read lineage; what ran has run.
    if (!(error instanceof AppError)) throw error;
    context.out.note(`its lineage cannot be shown: ${error.message}`);
    return [];
  }
}

async function originOf(context: Context, node: string): Promise<string> {
  const ask = (direction: string): Promise<Graph> =>
    context.api.send<Graph>('GET', at('lineage'), { query: { node, direction } });
  const [into, out] = [named(await ask('up'), node), named(await ask('down'), node)];
  const made = out.length === 0 ? '' : ` -> ${out.join(', ')}`;
  return `from ${into.length === 0 ? 'nothing but its code' : into.join(', ')}${made}`;
}

const named = (graph: Graph, node: string): string[] =>
  graph.nodes
    .filter(({ id, kind }) => id !== (graph.root ?? node) && TOLD.includes(kind))
    .map(({ id, kind, name }) => cell(kind === 'environment' ? `${kind}:${name}` : id))
    .slice(0, 12);
