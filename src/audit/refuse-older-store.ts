import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { CheckpointError, openCheckpoint } from './checkpoint.ts';

/**
 * Refuses a store with fewer entries than were published in `folder`: an older one was put back, or it was lost and made anew. Going on would
 * fork the log. What another key signed says nothing about this store.
 */
export function refuseOlderStore(folder: string, publicKey: string, size: number): void {
  const path = join(folder, 'checkpoint');
  if (!existsSync(path)) return;
  const published = sizeIn(readFileSync(path, 'utf8'), publicKey);
  if (published <= size) return;
  throw new AppError(
    'integrity',
    `The state store has ${size} entries of the audit log, and ${published} were published in ${folder}: it is an older store, or a new one.`,
    {
      details: {
        hint: 'Put back the store that belongs to this home. To go on from an older backup all the same, move that folder aside and keep it: it is the evidence of what is missing.',
      },
    },
  );
}

function sizeIn(note: string, publicKey: string): number {
  try {
    return openCheckpoint(note, publicKey).size;
  } catch (error) {
    if (error instanceof CheckpointError) return 0;
    throw error;
  }
}
