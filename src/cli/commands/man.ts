import type { Command } from '../command.ts';

/** `fumehood man`. */
export const man: readonly Command[] = [
  {
    verb: '',
    summary: 'Print the manual page, for man(1)',
    example: 'fumehood man > /usr/local/share/man/man1/fumehood.1',
    run: async (context) => {
      const [{ manPage }, { VERSION }] = await Promise.all([import('../man-page.ts'), import('../version.ts')]);
      context.out.data(await manPage(VERSION));
      return undefined;
    },
  },
];
