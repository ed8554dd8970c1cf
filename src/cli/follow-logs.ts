import { at } from './api-client.ts';
import { cell } from './cell.ts';
import type { Context } from './command.ts';

type Event = { position: number; time: string; kind: string; message: string };

const WAIT_MS = 30_000;
const KIND_WIDTH = 10;

/** `sandbox logs --follow`: what happened, then what happens, until the sandbox has ended. */
export async function followLogs(context: Context): Promise<undefined> {
  // By its id: the name of a deleted sandbox is free again.
  const { id } = await context.api.send<{ id: string }>('GET', at('sandboxes', context.arg('ID')));
  let after = 0;
  for (let waitMs = 0; ; waitMs = WAIT_MS) {
    const query = { after, waitMs };
    const path = at('sandboxes', id, 'logs');
    const { items } = await context.api.send<{ items: Event[] }>('GET', path, { query });
    for (const event of items) print(context, event);
    after = items.at(-1)?.position ?? after;
    if (items.some(({ kind }) => kind === 'deleted')) return undefined;
    if (waitMs > 0 && items.length === 0 && (await hasEnded(context, id))) return undefined;
  }
}

function print(context: Context, event: Event): void {
  const { time, kind, message } = event;
  const line = context.out.plain
    ? `${time}\t${cell(kind)}\t${cell(message)}`
    : `${new Date(time).toLocaleTimeString()}  ${cell(kind).padEnd(KIND_WIDTH)}  ${cell(message)}`;
  context.out.text(line, event);
}

async function hasEnded(context: Context, id: string): Promise<boolean> {
  const { state } = await context.api.send<{ state: string }>('GET', at('sandboxes', id));
  return state === 'deleted';
}
