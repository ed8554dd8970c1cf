import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';
import { getCommand } from './one.ts';
import { pageFlags, printList } from './paging.ts';

const id = { name: 'ID', live: 'approval', help: 'id of a request' } as const;

const decision = (verb: 'approve' | 'deny' | 'revoke', summary: string): Command => ({
  verb,
  summary,
  example: `fumehood approval ${verb} acc-1a2b --reason "agreed with the owner of the data"`,
  args: [id],
  flags: [
    { name: 'reason', value: 'TEXT', required: true, help: 'why; it is kept in the audit log' },
    ...(verb === 'approve'
      ? [{ name: 'until', value: 'TIME', help: 'an earlier end than the one that was asked for' }]
      : []),
  ],
  run: async (context) => {
    const request = body({ reason: context.text('reason'), until: context.text('until') });
    context.out.item(await context.api.send('POST', at('access-requests', context.arg('ID'), verb), { body: request }));
    return undefined;
  },
});

/** `fumehood approval`. */
export const approval: readonly Command[] = [
  {
    verb: 'list',
    summary: 'Requests for access, newest first',
    example: 'fumehood approval list --state pending',
    flags: [{ name: 'state', value: 'STATE', help: 'only those in a state, such as pending' }, ...pageFlags],
    run: (context) =>
      printList(context, at('access-requests'), { state: context.text('state') }, [
        ['ID', 'id', { keep: true }],
        ['STATE', 'state'],
        ['REQUESTER', 'requester'],
        ['DATASET', 'dataset'],
        ['PURPOSE', 'purpose'],
        ['UNTIL', 'until'],
      ]),
  },
  getCommand('access-requests', id, { summary: 'One request', example: 'fumehood approval get acc-1a2b' }),
  decision('approve', 'Allow a request of somebody else'),
  decision('deny', 'Refuse a request'),
  decision('revoke', 'End an approval before its time'),
];
