import type { Command } from '../command.ts';
import { PHASE_NAMES } from '../test-phases.ts';

/** `fumehood test`. */
export const test: readonly Command[] = [
  {
    verb: '',
    summary: 'Run all tests of this checkout',
    example: 'fumehood test --only unit',
    flags: [{ name: 'only', value: 'PHASE', many: true, choices: PHASE_NAMES, help: 'only this phase' }],
    run: async (context) => {
      const { runTests } = await import('../run-tests.ts');
      return runTests({ only: context.many('only'), env: context.env, out: context.out });
    },
  },
];
