import type { ChecksumAlgorithm } from './checksum.ts';
import type { Digests, DigestThreads } from './digest-threads.ts';
import type { FrameMemory } from './frame-memory.ts';
import { freeNow } from './free-now.ts';

/** Checksums of chunks of at most a frame, computed on a thread; the memory of each chunk is given back. */
export async function digestChunks(
  deps: { threads: DigestThreads; memory: FrameMemory },
  chunks: AsyncIterable<Buffer>,
  algorithms: readonly ChecksumAlgorithm[],
): Promise<Digests> {
  const digesting = deps.threads.begin(algorithms);
  // One is filled while the thread reads the other.
  const takeSlot = () => ({ bytes: deps.memory.take(), summed: Promise.resolve() });
  const slots = [takeSlot(), takeSlot()];
  try {
    for await (const chunk of chunks) {
      const slot = slots.shift() ?? takeSlot();
      slots.push(slot);
      await slot.summed;
      slot.bytes.set(chunk);
      slot.summed = digesting.update(slot.bytes.subarray(0, chunk.length));
      slot.summed.catch(() => undefined);
      freeNow(chunk);
    }
    return await digesting.digest();
  } finally {
    await digesting.drop();
    for (const { bytes } of slots) deps.memory.giveBack(bytes);
  }
}
