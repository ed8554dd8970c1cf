import type { Command } from '../command.ts';

/** `fumehood setup WHAT`: the wrapper installs it before this runs; "doctor --fix" calls it. */
export const setup: readonly Command[] = [
  {
    verb: '',
    summary: 'Install what sandboxes are run with: system packages, uv, opa, runsc (gVisor)',
    example: 'fumehood setup opa',
    args: [{ name: 'WHAT', choices: ['host', 'uv', 'opa', 'runsc'], help: 'the system packages, or a tool' }],
    run: async (context) => {
      context.out.text(`${context.arg('WHAT')} is there`, { installed: context.arg('WHAT') });
      return undefined;
    },
  },
];
