import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

const ROLES = ['engineer', 'operator', 'officer'] as const;
const name = { name: 'NAME', live: 'user', help: 'name of a user' } as const;
const role = { name: 'role', value: 'ROLE', many: true, choices: ROLES, help: 'what the user may do' } as const;
const team = { name: 'team', value: 'TEAM', help: 'the team whose quota counts' } as const;

/** `fumehood user`. */
export const user: readonly Command[] = [
  {
    verb: 'create',
    summary: 'Add a user and print its first token, once',
    example: 'fumehood user create erin --role engineer',
    args: [{ name: 'NAME', help: 'its name' }],
    flags: [{ ...role, required: true }, team],
    run: async (context) => {
      const request = body({ name: context.arg('NAME'), roles: context.many('role'), team: context.text('team') });
      context.out.item(await context.api.send('POST', at('users'), { body: request }));
      const { url } = context.api.connection();
      context.out.next(`fumehood login ${url}    # as ${context.arg('NAME')}, who is asked for that token`);
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'Users by name',
    example: 'fumehood user list',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('users'), {}, [
        ['NAME', 'name'],
        ['ROLES', 'roles'],
        ['TEAM', 'team'],
        ['DISABLED', 'disabled'],
        ['CREATED', 'createdAt'],
      ]),
  },
  {
    verb: 'get',
    summary: 'One user',
    example: 'fumehood user get erin',
    args: [name],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('users', context.arg('NAME'))));
      return undefined;
    },
  },
  {
    verb: 'update',
    summary: 'Change roles or team of a user, disable or enable it',
    example: 'fumehood user update erin --disable',
    args: [name],
    flags: [
      role,
      team,
      { name: 'disable', help: 'no token of the user works any more' },
      { name: 'enable', help: 'undo that' },
    ],
    run: async (context) => {
      const disabled = context.on('disable') ? true : context.on('enable') ? false : undefined;
      const change = body({ roles: context.many('role'), team: context.text('team'), disabled });
      context.out.item(await context.api.send('PATCH', at('users', context.arg('NAME')), { body: change }));
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Delete a user and end its tokens',
    example: 'fumehood user delete erin',
    args: [name],
    run: async (context) => {
      await context.confirm(`Delete the user "${context.arg('NAME')}"?`);
      context.out.item(await context.api.send('DELETE', at('users', context.arg('NAME'))));
      return undefined;
    },
  },
  {
    verb: 'whoami',
    summary: 'Whom your token stands for',
    example: 'fumehood user whoami',
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('whoami')));
      return undefined;
    },
  },
];
