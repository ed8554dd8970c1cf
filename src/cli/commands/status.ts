import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import type { Command } from '../command.ts';

/** `fumehood status`. */
export const status: readonly Command[] = [
  {
    verb: '',
    summary: 'Show whether and where the control plane runs',
    example: 'fumehood status',
    run: async (context) => {
      const { url } = context.api.connection();
      try {
        context.out.item({ url, ...(await context.api.send('GET', at('status'))) });
      } catch (error) {
        // Whoever may not ask for more still learns that it is alive.
        if (!(error instanceof AppError) || error.code !== 'unauthenticated') throw error;
        context.out.item({ url, ...(await context.api.send('GET', '/healthz')) });
        throw error;
      }
      return undefined;
    },
  },
];
