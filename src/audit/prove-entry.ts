import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { selectEntryRows, selectLatestCheckpoint } from './audit-store.ts';
import { openCheckpoint } from './checkpoint.ts';
import { inclusionProof, leafHash, verifyInclusion } from './merkle.ts';
import { storedSubtrees } from './subtree-source.ts';

/** All that is needed to check one entry without the log: hashes in hex, the checkpoint as a signed note. */
export type EntryProof = {
  seq: number;
  size: number;
  leaf: string;
  leafHash: string;
  proof: string[];
  checkpoint: string;
};

/** Proves that an entry is in the tree of the newest checkpoint. Throws `not_found`. */
export async function proveEntry(reader: Reader, seq: number): Promise<EntryProof> {
  const [row] = await selectEntryRows(reader, seq, seq + 1);
  const latest = await selectLatestCheckpoint(reader);
  if (row === undefined || latest === undefined) {
    throw new AppError('not_found', `The audit log has no entry ${seq}.`, {
      details: { hint: 'See "fumehood audit list".' },
    });
  }
  const proof = await inclusionProof(storedSubtrees(reader), seq, latest.size);
  return {
    seq,
    size: latest.size,
    leaf: row.leaf,
    leafHash: row.leafHash.toString('hex'),
    proof: proof.map((hash) => hash.toString('hex')),
    checkpoint: latest.note,
  };
}

/** Whether a proof holds, from the proof and the public key alone. */
export function verifyEntryProof(proof: EntryProof, publicKey: string): boolean {
  const checkpoint = openCheckpoint(proof.checkpoint, publicKey);
  return verifyInclusion({
    index: proof.seq,
    size: checkpoint.size,
    leaf: leafHash(proof.leaf),
    proof: proof.proof.map((hash) => Buffer.from(hash, 'hex')),
    root: checkpoint.root,
  });
}
