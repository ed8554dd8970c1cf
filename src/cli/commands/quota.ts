import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';
import { numberOf } from '../numbers.ts';

/** A bare name is a user's. */
const targetOf = (text: string): string => (text === '' || text.includes(':') ? text : `user:${text}`);

const target = {
  name: 'TARGET',
  required: false,
  help: 'NAME of a user, or team:NAME; your own when left out',
} as const;

/** `fumehood quota`. */
export const quota: readonly Command[] = [
  {
    verb: 'get',
    summary: 'What may be used, and what is',
    example: 'fumehood quota get erin',
    args: [target],
    run: async (context) => {
      const who = targetOf(context.arg('TARGET'));
      context.out.item(await context.api.send('GET', who === '' ? at('quotas') : at('quotas', who)));
      return undefined;
    },
  },
  {
    verb: 'set',
    summary: 'Change what a user or a team may use',
    example: 'fumehood quota set team:research --memory 64g --sandboxes 20',
    args: [{ ...target, required: true, help: 'NAME of a user, or team:NAME' }],
    flags: [
      { name: 'sandboxes', value: 'N', help: 'sandboxes at the same time' },
      { name: 'cpus', value: 'N', help: 'cores' },
      { name: 'memory', value: 'SIZE', help: 'such as 8g' },
      { name: 'disk', value: 'SIZE', help: 'such as 20g' },
      { name: 'gpus', value: 'N', help: 'GPUs' },
    ],
    run: async (context) => {
      const { text } = context;
      const change = body({
        sandboxes: numberOf('sandboxes', text('sandboxes')),
        cpus: numberOf('cpus', text('cpus')),
        memory: text('memory'),
        disk: text('disk'),
        gpus: numberOf('gpus', text('gpus')),
      });
      context.out.item(await context.api.send('PUT', at('quotas', targetOf(context.arg('TARGET'))), { body: change }));
      return undefined;
    },
  },
];
