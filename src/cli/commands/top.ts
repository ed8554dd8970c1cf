import type { Command } from '../command.ts';

/** `fumehood top`. */
export const top: readonly Command[] = [
  {
    verb: '',
    summary: 'What all running sandboxes use, the busiest first; on a pipe once',
    details: 'CPU is in percent of one core. NET counts what went through the doors since the control plane started.',
    example: 'fumehood top --once',
    flags: [
      { name: 'once', help: 'print one picture and end' },
      { name: 'every', value: 'TIME', help: 'how often to look (else 2s)' },
      { name: 'everybody', help: "everybody's sandboxes, not only your own" },
    ],
    run: async (context) => (await import('../top.ts')).top(context),
  },
];
