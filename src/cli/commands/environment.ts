import { readFileSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { body, type Command } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

const name = { name: 'NAME', live: 'environment', help: 'name of an environment' } as const;

/** `fumehood environment`. */
export const environment: readonly Command[] = [
  {
    verb: 'create',
    summary: 'Resolve packages to a lock and install it',
    example: 'fumehood environment create lab --package numpy --package "pandas>=2"',
    details:
      'Without packages, NAME is one of the definitions that ship: minimal, notebook, text-generation. Ctrl-C ends the call, not the build.',
    args: [{ name: 'NAME', help: 'its name' }],
    flags: [
      { name: 'package', value: 'SPEC', many: true, help: 'a package, such as numpy or "pandas>=2"' },
      { name: 'requirements', value: 'FILE', help: 'a requirements file' },
      { name: 'log', help: 'show what the resolver, the builder and the installer say, on stderr' },
    ],
    run: async (context) => {
      const file = context.text('requirements');
      const request = body({
        name: context.arg('NAME'),
        packages: context.many('package'),
        requirements: textOf(file),
      });
      const { followBuild } = await import('../follow-build.ts');
      const build = { name: context.arg('NAME'), log: context.on('log') };
      const made = await followBuild(context, build, () =>
        context.api.send('POST', at('environments'), { body: request }),
      );
      context.out.item(made);
      context.out.next(`fumehood sandbox create --environment ${context.arg('NAME')}`);
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'Environments by name',
    example: 'fumehood environment list',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('environments'), {}, [
        ['NAME', 'name'],
        ['DIGEST', 'digest'],
        ['PACKAGES', (item) => (Array.isArray(item.packages) ? item.packages.length : item.packages)],
        ['CREATED', 'createdAt'],
      ]),
  },
  {
    verb: 'get',
    summary: 'One environment with all its packages',
    example: 'fumehood environment get lab',
    args: [name],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('environments', context.arg('NAME'))));
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Remove an environment that no sandbox uses',
    example: 'fumehood environment delete lab --dry-run',
    args: [name],
    flags: [{ name: 'dry-run', help: 'say what would be done, and do nothing' }],
    run: async (context) => {
      const dryRun = context.on('dry-run');
      if (!dryRun) await context.confirm(`Delete the environment "${context.arg('NAME')}"?`);
      const query = { dryRun: dryRun || undefined };
      context.out.item(await context.api.send('DELETE', at('environments', context.arg('NAME')), { query }));
      return undefined;
    },
  },
];

function textOf(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
  } catch (error) {
    throw new AppError('invalid', `"${file}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
