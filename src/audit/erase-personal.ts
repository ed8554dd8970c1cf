import type { Tx } from '#kernel/sql.ts';
import { eraseActor, eraseObject } from './audit-store.ts';

/**
 * Forgets a person: the salts and values that open the commitments about them go, wherever they acted or were acted on. Leaves, hashes
 * and proofs stay as they are, and so do the values of others in the same entries. The caller audits it without the name.
 */
export async function erasePersonal(tx: Tx, user: string): Promise<{ asActor: number; asObject: number }> {
  return { asActor: await eraseActor(tx, user), asObject: await eraseObject(tx, user) };
}
