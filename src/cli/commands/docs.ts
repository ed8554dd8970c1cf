import { resolve } from 'node:path';
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
