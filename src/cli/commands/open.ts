import { at } from '../api-client.ts';
import type { Command, Context } from '../command.ts';

/** Prints where a sandbox is seen in the browser. */
export async function openSandbox(context: Context): Promise<undefined> {
  const found = await context.api.send<{ id: string }>('GET', at('sandboxes', context.arg('ID')));
  const url = `${context.api.connection().url}/sandboxes/${encodeURIComponent(found.id)}/`;
  context.out.text(url, { id: found.id, url });
  return undefined;
}

/** `fumehood open`. */
export const open: readonly Command[] = [
  {
    verb: '',
    summary: 'Print the address of a sandbox in the browser',
    example: 'fumehood open first',
    args: [{ name: 'ID', live: 'sandbox', help: 'id or name of a sandbox' }],
    run: openSandbox,
  },
];
