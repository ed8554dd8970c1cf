/** A worker: computes the checksums of contents whose frames come in shared memory. */
import { parentPort } from 'node:worker_threads';
import { type Checksum, type ChecksumAlgorithm, createChecksum } from './checksum.ts';

export type ToThread =
  | { kind: 'begin'; id: number; algorithms: ChecksumAlgorithm[] }
  | { kind: 'frame'; id: number; bytes: Uint8Array }
  | { kind: 'end'; id: number }
  | { kind: 'drop'; id: number };

/** One answer to each message but `begin`, in order; to `end` the digests. */
export type FromThread = { id: number; digests?: Map<ChecksumAlgorithm, Uint8Array> };

const open = new Map<number, Map<ChecksumAlgorithm, Checksum>>();
const answer = (message: FromThread): void => parentPort?.postMessage(message);

parentPort?.on('message', (message: ToThread) => {
  const { kind, id } = message;
  const sums = open.get(id);
  if (kind === 'begin') open.set(id, new Map(message.algorithms.map((one) => [one, createChecksum(one)])));
  if (kind === 'drop') {
    open.delete(id);
    answer({ id });
  }
  if (kind === 'frame') {
    for (const sum of sums?.values() ?? []) sum.update(message.bytes);
    answer({ id });
  }
  if (kind === 'end') {
    open.delete(id);
    answer({ id, digests: new Map([...(sums ?? [])].map(([name, sum]) => [name, sum.digest()])) });
  }
});
