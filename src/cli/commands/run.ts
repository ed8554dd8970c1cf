import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { showInBrowser } from '../show-in-browser.ts';
import { getCommand } from './one.ts';
import { pageFlags, printList } from './paging.ts';

/** `fumehood run`. */
export const run: readonly Command[] = [
  {
    verb: '',
    summary: 'Run a Python file or a notebook in a sandbox of its own, and bring back what it wrote',
    example: 'fumehood run train.py --environment lab --mount topics@1 -- --epochs 3',
    details:
      'The sandbox is removed at the end, whatever happens. New and changed files of /workspace come into --out; the exit code is passed on.',
    args: [{ name: 'FILE', help: 'a .py or .ipynb file' }],
    flags: [
      { name: 'environment', value: 'NAME', live: 'environment', help: 'the Python environment; notebooks need one' },
      { name: 'mount', value: 'DATASET[@VERSION]', many: true, live: 'dataset', help: 'a data set, at /data/NAME' },
      { name: 'copy', value: 'PATH', many: true, help: 'a file or folder to lie beside it' },
      { name: 'out', value: 'DIR', help: 'where its files go (else a new folder FILE-output)' },
      { name: 'env', value: 'K=V', many: true, help: 'a variable of the program' },
      { name: 'memory', value: 'SIZE', help: 'such as 2g' },
      { name: 'cpus', value: 'N', help: 'cores, such as 2 or 0.5' },
      { name: 'disk', value: 'SIZE', help: 'size of /workspace, such as 1g' },
      { name: 'gpus', value: 'N', help: 'GPUs' },
      { name: 'ttl', value: 'TIME', help: 'longest life, such as 10m' },
      { name: 'egress', value: 'HOST:PORT', many: true, help: 'a host that may be reached through the proxy' },
      { name: 'grant', value: 'model:NAME/VERSION', many: true, help: 'a model that may be read' },
      { name: 'purpose', value: 'TEXT', help: 'what it is for; approvals are bound to it' },
      { name: 'max-fetch', value: 'SIZE', help: 'fetch at most so much (else 1g)' },
    ],
    rest: '[ARGS...]',
    run: async (context) => (await import('../run-file.ts')).runFile(context),
  },
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
