import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { ensureFirstOperator, renewFirstOperator } from '#src/identity/create-user.ts';
import type { Core } from './core.ts';

/** The token of the first operator lies 0600 in the home, for the CLI of the same system user. */
export async function makeFirstOperator(core: Core): Promise<void> {
  const { gateway, clock, ids, home } = core;
  await gateway.system({
    action: 'user.first',
    object: { kind: 'user', id: 'operator' },
    requestId: ids.next('req'),
    act: async (tx, crossing) => {
      const token = await ensureFirstOperator({ clock, ids }, tx, crossing);
      if (token !== undefined) writeFileSync(join(home, 'operator.token'), `${token}\n`, { mode: 0o600 });
    },
  });
}

/** Where the first operator's token was lost: a new one, and all earlier ones end. */
export async function renewOperatorToken({ gateway, clock, ids, home }: Core): Promise<void> {
  await gateway.system({
    action: 'user.renew',
    object: { kind: 'user', id: 'operator' },
    requestId: ids.next('req'),
    act: async (tx, crossing) => {
      const token = await renewFirstOperator({ clock, ids }, tx, crossing);
      if (token === undefined)
        throw new AppError('conflict', 'The first operator was deleted or disabled, so it gets no token.', {
          details: { hint: 'Another operator can make tokens: "fumehood token create".' },
        });
      writeFileSync(join(home, 'operator.token'), `${token}\n`, { mode: 0o600 });
    },
  });
}
