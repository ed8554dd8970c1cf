import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { body, type Command, type Context } from '../command.ts';
import { numberOf } from '../numbers.ts';

const path = { name: 'PATH', help: 'such as team/database' } as const;
const address = (context: Context): string => at('secrets', ...context.arg('PATH').split('/'));

/** `fumehood secret`. */
export const secret: readonly Command[] = [
  {
    verb: 'put',
    summary: 'Store a secret; the values come from stdin or a prompt, never from the command line',
    example: 'printf %s "$PASSWORD" | fumehood secret put team/database password=-',
    args: [path, { name: 'KEY=-', many: true, help: 'a key; "-" stands for the value that is read' }],
    flags: [{ name: 'cas', value: 'VERSION', help: 'only when this is the present version (0: there is none)' }],
    run: async (context) => {
      const data = await readData(context);
      const request = body({ data, cas: numberOf('cas', context.text('cas')) });
      context.out.item(await context.api.send('PUT', address(context), { body: request }));
      return undefined;
    },
  },
  {
    verb: 'get',
    summary: 'Show a secret',
    example: 'fumehood secret get team/database password',
    args: [path, { name: 'KEY', required: false, help: 'print only the value of this key' }],
    flags: [{ name: 'version', value: 'N', help: 'an older version' }],
    run: async (context) => {
      const query = { version: context.text('version') };
      const found = await context.api.send<{ data: Record<string, unknown> }>('GET', address(context), { query });
      const key = context.arg('KEY');
      if (key === '') {
        if (context.out.json) context.out.item(found);
        else context.out.item(found.data);
        return undefined;
      }
      if (!Object.hasOwn(found.data, key)) throw new AppError('not_found', `The secret has no key "${key}".`);
      const value = found.data[key];
      context.out.text(typeof value === 'string' ? value : JSON.stringify(value), { [key]: value });
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'The paths below a path, never the values',
    example: 'fumehood secret list team',
    args: [{ ...path, required: false }],
    run: async (context) => {
      const query = { prefix: context.arg('PATH') };
      const { items } = await context.api.send<{ items: string[] }>('GET', at('secrets'), { query });
      context.out.text(items.map((item) => `${item}\n`).join(''), { items, next: null });
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Delete the newest version of a secret; with --all, everything about it',
    example: 'fumehood secret delete team/database --all',
    args: [path],
    flags: [{ name: 'all', help: 'all versions, for good' }],
    run: async (context) => {
      const all = context.on('all');
      await context.confirm(`Delete ${all ? 'all versions' : 'the newest version'} of ${context.arg('PATH')}?`);
      await context.api.send('DELETE', address(context), { query: { all: all || undefined } });
      context.out.text('deleted', { path: context.arg('PATH'), deleted: true });
      return undefined;
    },
  },
];

/** The values of a secret: each `KEY=-` from a prompt, or the only one from stdin. A value on the command line is refused: `ps` would show it. */
async function readData(context: Context): Promise<Record<string, string>> {
  const words = context.args('KEY=-');
  const data: Record<string, string> = {};
  for (const word of words) {
    const key = word.slice(0, word.indexOf('='));
    if (!word.endsWith('=-') || key === '' || key.length !== word.length - 2)
      throw new AppError('invalid', 'A value must not stand on the command line, where every process can see it.', {
        details: {
          hint: `Write KEY=- and give the value on stdin: printf %s "$VALUE" | fumehood secret put ${context.arg('PATH')} KEY=-`,
        },
      });
    if (words.length > 1 && context.stdin.isTTY !== true)
      throw new AppError('invalid', 'Several values can only be asked for on a terminal; stdin holds one.');
    data[key] = await context.secret(`Value of ${key}`);
  }
  return data;
}
