import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { tellEndings } from '../tell-endings.ts';

/** `fumehood status`. */
export const status: readonly Command[] = [
  {
    verb: '',
    summary: 'Show whether and where the control plane runs',
    example: 'fumehood status',
    run: async (context) => {
      const { url } = context.api.connection();
      try {
        const { endingSoon, ...found } = await context.api.send<{ endingSoon: { name: string; expiresAt: string }[] }>(
          'GET',
          at('status'),
        );
        context.out.item({ url, ...found, ...(context.out.json ? { endingSoon } : {}) });
        tellEndings(context, endingSoon, Date.now());
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
