import { at } from '../api-client.ts';
import type { Command } from '../command.ts';

/** `fumehood key`. */
export const key: readonly Command[] = [
  {
    verb: 'rotate',
    summary: 'Give the key that protects objects and secrets a new version, and wrap everything under it anew',
    example: 'fumehood key rotate --yes',
    details:
      'Broken off, it goes on at the next call or start. The old version is removed at the next start of the control plane, when nothing needs it any more; backups made before keep needing it.',
    run: async (context) => {
      await context.confirm('Backups made until now can only be read with the keys that are in them. Rotate the key?');
      const end = context.out.phase('Wrapping every data key anew');
      const rotated = await context.api.send('POST', at('keys', 'rotate'), { body: {} }).catch((error) => {
        end('failed');
        throw error;
      });
      end('done');
      context.out.item(rotated);
      context.out.next(
        'fumehood backup create /backups/',
        'fumehood up --detach    # after a stop: retires the old version',
      );
      return undefined;
    },
  },
];
