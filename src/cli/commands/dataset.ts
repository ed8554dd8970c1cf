import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { type Argument, body, type Command, type Context } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

const reference: Argument = {
  name: 'NAME[@VERSION]',
  live: 'dataset',
  help: 'a data set, the latest version when none is named',
};

function split(context: Context): { name: string; version: string | undefined } {
  const [name = '', version] = context.arg(reference.name).split('@');
  return { name, version };
}

const addressOf = ({ name, version }: { name: string; version: string | undefined }): string =>
  version === undefined ? at('datasets', name) : at('datasets', name, 'versions', version);

async function versionOf(context: Context): Promise<{ name: string; version: string }> {
  const { name, version } = split(context);
  if (version !== undefined) return { name, version };
  const latest = await context.api.send<{ version: string | number }>('GET', at('datasets', name));
  return { name, version: String(latest.version) };
}

/** `fumehood dataset`. */
export const dataset: readonly Command[] = [
  {
    verb: 'add',
    summary: 'Add a version of a data set from a file or a folder',
    example: 'fumehood dataset add topics ./topics --tag public',
    args: [
      { name: 'NAME', help: 'its name' },
      { name: 'PATH', help: 'a file or a folder' },
    ],
    flags: [{ name: 'tag', value: 'TAG', many: true, help: 'what kind of data it holds, such as public or PII' }],
    run: async (context) => {
      const { addDataset } = await import('../upload-dataset.ts');
      const name = context.arg('NAME');
      context.out.item(await addDataset(context, name, context.arg('PATH'), context.many('tag')));
      context.out.next(`fumehood sandbox create --mount ${name}`);
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'Data sets, each with its latest version',
    example: 'fumehood dataset list',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('datasets'), {}, [
        ['NAME', 'name'],
        ['VERSION', 'version'],
        ['TAGS', 'tags'],
        ['FILES', 'fileCount'],
        ['SIZE', 'sizeBytes'],
        ['DIGEST', 'digest'],
      ]),
  },
  {
    verb: 'get',
    summary: 'One version of a data set',
    example: 'fumehood dataset get topics@1 --files',
    args: [reference],
    flags: [
      { name: 'versions', help: 'list all its versions instead' },
      { name: 'files', help: 'list its files instead' },
    ],
    run: async (context) => {
      if (context.on('versions'))
        return printList(context, at('datasets', split(context).name, 'versions'), {}, [
          ['VERSION', 'version'],
          ['TAGS', 'tags'],
          ['DIGEST', 'digest'],
        ]);
      if (context.on('files')) {
        const { name, version } = await versionOf(context);
        return printList(context, at('datasets', name, 'versions', version, 'files'), {}, [
          ['PATH', 'path'],
          ['SIZE', 'sizeBytes'],
          ['DIGEST', 'digest'],
        ]);
      }
      context.out.item(await context.api.send('GET', addressOf(split(context))));
      return undefined;
    },
  },
  {
    verb: 'tag',
    summary: 'Add tags to a version',
    example: 'fumehood dataset tag topics@1 --tag internal',
    args: [reference],
    flags: [{ name: 'tag', value: 'TAG', many: true, required: true, help: 'a further tag' }],
    run: async (context) => {
      const { name, version } = await versionOf(context);
      const request = body({ tags: context.many('tag') });
      context.out.item(
        await context.api.send('POST', at('datasets', name, 'versions', version, 'tags'), { body: request }),
      );
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Delete a version of a data set',
    example: 'fumehood dataset delete topics@1',
    args: [{ ...reference, name: 'NAME@VERSION', help: 'the version' }],
    run: async (context) => {
      const [name = '', version] = context.arg('NAME@VERSION').split('@');
      if (version === undefined) throw new AppError('invalid', 'Name the version: NAME@VERSION.');
      await context.confirm(`Delete ${name}@${version}?`);
      context.out.item(await context.api.send('DELETE', at('datasets', name, 'versions', version)));
      return undefined;
    },
  },
];
