/** How much an image may be: counted while it is read, so that the first byte too much is the last that is looked at. */
import { AppError } from '#kernel/errors.ts';
import { formatBytes } from '#kernel/quantities.ts';

export type UnpackBudget = {
  /** Counts bytes of layers as they come out of decompression. */
  bytes(count: number): void;
  /** Counts one entry; refuses at once what announces more than is left. */
  entry(entry: { sizeBytes: number }): void;
  used(): { bytes: number; entries: number };
};

export const MOST_ENTRIES = 1_000_000;

export function createBudget(most: { bytes: number; entries?: number }): UnpackBudget {
  let [bytes, entries] = [0, 0];
  const mostEntries = most.entries ?? MOST_ENTRIES;
  const tooLarge = (what: string): AppError =>
    new AppError('too_large', `The image is too large: ${what}.`, {
      details: { hint: 'Use a smaller image, or ask an operator to raise images.maxSize.' },
    });
  return {
    bytes: (count) => {
      bytes += count;
      if (bytes > most.bytes) throw tooLarge(`more than ${formatBytes(most.bytes)} unpacked`);
    },
    entry: ({ sizeBytes }) => {
      entries += 1;
      if (entries > mostEntries) throw tooLarge(`more than ${mostEntries} files`);
      if (bytes + sizeBytes > most.bytes) throw tooLarge(`more than ${formatBytes(most.bytes)} unpacked`);
    },
    used: () => ({ bytes, entries }),
  };
}
