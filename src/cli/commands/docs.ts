import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Command } from '../command.ts';

/** `fumehood docs`. */
export const docs: readonly Command[] = [
  {
    verb: 'build',
    summary: 'Build the documentation as a site that can be read offline',
    example: 'fumehood docs build site',
    args: [{ name: 'DIR', help: 'the folder that it is built into' }],
    run: async (context) => {
      const { buildSite } = await import('../build-site.ts');
      const folder = resolve(context.arg('DIR'));
      makeFolder(folder);
      const end = context.out.phase('Building the documentation');
      await buildSite({ folder, env: context.env }).catch((error) => {
        end('failed');
        throw error;
      });
      end();
      context.out.text(`open ${folder}/index.html in a browser`, { folder, index: `${folder}/index.html` });
      return undefined;
    },
  },
];

/** Before the work of some seconds, not after it. Step by step: where nothing can be made, as below /proc, Node's own recursion has no end. */
function makeFolder(folder: string): void {
  try {
    if (!existsSync(dirname(folder))) makeFolder(dirname(folder));
    if (!existsSync(folder)) mkdirSync(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('invalid', `"${folder}" cannot be written (${(error as NodeJS.ErrnoException).code}).`, {
      details: { hint: 'Name a folder that is not there yet, in one that you may write to.' },
    });
  }
}
