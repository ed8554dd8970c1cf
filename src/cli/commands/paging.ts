import type { Query } from '../api-client.ts';
import type { Context, Flag } from '../command.ts';
import type { Column } from '../table.ts';

/** The flags of every list. */
export const pageFlags: readonly Flag[] = [
  { name: 'limit', value: 'N', help: 'at most so many items (1 to 1000)' },
  { name: 'cursor', value: 'CURSOR', help: 'go on where the page before ended' },
  { name: 'all-pages', help: 'follow the cursors to the end' },
];

type Page = { items: object[]; next: string | null };

/** Fetches one page, or all of them with `--all-pages`, prints it, and then calls `onItems`. */
export async function printList(
  context: Context,
  path: string,
  query: Query,
  columns: readonly Column[],
  onItems: (items: object[]) => void = () => undefined,
): Promise<undefined> {
  const ask = (cursor: string | undefined): Promise<Page> =>
    context.api.send<Page>('GET', path, { query: { ...query, limit: context.text('limit'), cursor } });
  let page = await ask(context.text('cursor'));
  if (context.on('all-pages')) {
    const items = [...page.items];
    while (page.next !== null) {
      page = await ask(page.next);
      items.push(...page.items);
    }
    page = { items, next: null };
  }
  context.out.list(page, columns);
  onItems(page.items);
  return undefined;
}
