import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';
import { pageFlags, printList } from './paging.ts';
import { s3Keys } from './s3-key.ts';

/** `fumehood token`. */
export const token: readonly Command[] = [
  ...s3Keys,
  {
    verb: 'create',
    summary: 'Make a further token of your own and print it, once',
    example: 'fumehood token create --name ci --scope "sandbox.*" --until 30d',
    flags: [
      { name: 'name', value: 'TEXT', help: 'what it is for' },
      { name: 'scope', value: 'SCOPE', many: true, help: 'what it may do at most, such as sandbox.*' },
      { name: 'until', value: 'TIME', help: 'how long it is valid, such as 30d' },
    ],
    run: async (context) => {
      const { text } = context;
      const request = body({ name: text('name'), scopes: context.many('scope'), until: text('until') });
      context.out.item(await context.api.send('POST', at('tokens'), { body: request }));
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'Your tokens: names, scopes and times, never the tokens',
    example: 'fumehood token list',
    flags: [{ name: 'all', help: "everybody's" }, ...pageFlags],
    run: (context) =>
      printList(context, at('tokens'), { all: context.on('all') || undefined }, [
        ['ID', 'id', { keep: true }],
        ['USER', 'user'],
        ['NAME', 'name'],
        ['SCOPES', 'scopes'],
        ['EXPIRES', 'expiresAt'],
      ]),
  },
  {
    verb: 'revoke',
    summary: 'End a token at once',
    example: 'fumehood token revoke tok-1a2b',
    args: [{ name: 'ID', live: 'token', help: 'id of a token' }],
    run: async (context) => {
      context.out.item(await context.api.send('DELETE', at('tokens', context.arg('ID'))));
      return undefined;
    },
  },
];
