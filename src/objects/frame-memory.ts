import { FRAME_BYTES } from './frame.ts';

/** Frames of memory that threads share, used again: only a collection in every thread that has seen one would free it. */
export type FrameMemory = { take(): Buffer; giveBack(frame: Buffer): void };

/** One frame of a write is filled while a thread reads the other. */
export const FRAMES_A_WRITE = 2;
export const BYTES_OF_A_WRITE = FRAMES_A_WRITE * FRAME_BYTES;
/** Of a read: two sealed frames, and two that are open, one of which goes out. */
export const BYTES_OF_A_READ = 4 * FRAME_BYTES;

const MOST_KEPT = 8;

export function createFrameMemory(): FrameMemory {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.from(new SharedArrayBuffer(FRAME_BYTES)),
    giveBack: (frame) => {
      if (free.length < MOST_KEPT) free.push(frame);
    },
  };
}
