import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { showInBrowser } from '../show-in-browser.ts';
import { getCommand } from './one.ts';
import { pageFlags, printList } from './paging.ts';

/** `fumehood run`. */
export const run: readonly Command[] = [
  {
    verb: 'list',
    summary: 'Tracked runs, newest first',
    example: 'fumehood run list --filter "metrics.loss < 2"',
    flags: [
      { name: 'experiment', value: 'NAME', help: 'only those of an experiment' },
      { name: 'filter', value: 'TEXT', help: 'in the grammar of MLflow, such as "metrics.loss < 2"' },
      ...pageFlags,
    ],
    run: (context) =>
      printList(context, at('runs'), { experiment: context.text('experiment'), filter: context.text('filter') }, [
        ['ID', 'id', { keep: true }],
        ['NAME', 'name'],
        ['EXPERIMENT', 'experiment'],
        ['STATUS', 'status'],
        ['LABELS', 'labels'],
        ['STARTED', 'startedAt'],
      ]),
  },
  {
    verb: 'open',
    summary: 'Open the page of a run in the browser',
    example: 'fumehood run open 0a1b2c3d',
    args: [{ name: 'ID', live: 'run', help: 'id of a run' }],
    flags: [{ name: 'no-browser', help: 'print the link, and open nothing' }],
    run: async (context) => {
      const opened = await context.api.send<{ url: string }>('POST', at('runs', context.arg('ID'), 'open'), {
        body: {},
      });
      if (!context.on('no-browser')) showInBrowser(opened.url, context);
      context.out.text(opened.url, opened);
      return undefined;
    },
  },
  getCommand(
    'runs',
    { name: 'ID', live: 'run', help: 'id of a run' },
    {
      summary: 'One run: parameters, metrics, tags, labels',
      example: 'fumehood run get 0a1b2c3d',
    },
  ),
];
