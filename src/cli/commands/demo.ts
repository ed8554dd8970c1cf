import { join } from 'node:path';
import type { Command } from '../command.ts';
import { numberOf } from '../numbers.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** `fumehood demo`. */
export const demo: readonly Command[] = [
  {
    verb: '',
    summary: 'Train, track, register and use a small GPT in sealed sandboxes',
    example: 'fumehood demo --train-seconds 20',
    details: 'Uses a home of its own, asks nothing, and removes everything at the end.',
    flags: [
      { name: 'keep', help: 'leave it running' },
      { name: 'train-seconds', value: 'N', help: 'how long the model is trained (else 60)' },
    ],
    run: async (context) => {
      const { runDemo } = await import('#src/demo/run-demo.ts');
      const named = context.text('home') ?? context.env.FUMEHOOD_DEMO_HOME;
      const command = context.env.FUMEHOOD_COMMAND;
      return runDemo({
        entry: command === undefined ? [process.execPath, join(ROOT, 'src/cli/main.ts')] : [command],
        home: named ?? join(context.home, '..', 'fumehood-demo'),
        keep: context.on('keep'),
        trainSeconds: numberOf('train-seconds', context.text('train-seconds')) ?? 60,
        python: '/usr/bin/python3',
        examples: join(ROOT, 'examples'),
        env: context.env,
        write: (text) => context.out.data(text),
      });
    },
  },
];
