import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';

/** `fumehood access`. */
export const access: readonly Command[] = [
  {
    verb: 'request',
    summary: 'Ask for access to a data set for a purpose; an officer who is somebody else decides',
    example: 'fumehood access request dataset customers --purpose churn --until 1d',
    args: [
      { name: 'KIND', choices: ['dataset'], help: 'what kind of thing' },
      { name: 'NAME', live: 'dataset', help: 'its name' },
    ],
    flags: [
      {
        name: 'purpose',
        value: 'TEXT',
        required: true,
        help: 'what it is needed for; the same words as in "sandbox create --purpose"',
      },
      { name: 'until', value: 'TIME', help: 'how long, such as 1d, or until when' },
    ],
    run: async (context) => {
      const { text } = context;
      const request = body({ dataset: context.arg('NAME'), purpose: text('purpose'), until: text('until') });
      const asked = await context.api.send<{ id: string }>('POST', at('access-requests'), { body: request });
      context.out.item(asked);
      context.out.next(`fumehood approval approve ${asked.id} --reason "…"    # by an officer who is somebody else`);
      return undefined;
    },
  },
];
