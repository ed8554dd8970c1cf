import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { getCommand } from './one.ts';
import { pageFlags, printList } from './paging.ts';

/** `fumehood model`. */
export const model: readonly Command[] = [
  {
    verb: 'list',
    summary: 'Registered models by name',
    example: 'fumehood model list',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('models'), {}, [
        ['NAME', 'name'],
        [
          'VERSIONS',
          (item) => (Array.isArray(item.versions) ? item.versions.length : (item.latestVersion ?? item.versions)),
        ],
        ['LABELS', 'labels'],
        ['UPDATED', 'updatedAt'],
      ]),
  },
  getCommand(
    'models',
    { name: 'NAME', live: 'model', help: 'NAME or NAME/VERSION' },
    {
      summary: 'One model with its versions',
      example: 'fumehood model get tiny-gpt/1',
    },
  ),
];
