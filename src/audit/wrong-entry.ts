/** What can be wrong with one stored entry by itself. */
import type { StoredEntry } from './audit-store.ts';
import { type Leaf, type Openings, opensCommitments } from './entry.ts';
import { leafHash } from './merkle.ts';
import type { Finding } from './verify-folder.ts';

/** The first thing that is wrong, or the leaf. */
export function readStoredEntry(row: StoredEntry, seq: number): { leaf: Leaf } | { wrong: Finding } {
  const wrong = (what: string): { wrong: Finding } => ({ wrong: { seq, what } });
  if (row.seq !== seq) return wrong(`entry ${seq} is missing from the store`);
  if (!leafHash(row.leaf).equals(row.leafHash)) return wrong(`entry ${seq} was changed: it does not have its hash`);
  let leaf: Leaf;
  try {
    leaf = JSON.parse(row.leaf) as Leaf;
  } catch {
    return wrong(`entry ${seq} is not JSON`);
  }
  if (leaf.seq !== seq) return wrong(`entry ${seq} says that it is ${String(leaf.seq)}: entries were moved`);
  if (!opensCommitments(row.openings, leaf.personal))
    return wrong(`the personal values beside entry ${seq} are not those that it commits to`);
  if (row.columns !== columnsOf(leaf, row.openings))
    return wrong(`the columns by which entry ${seq} is found are not its own: searches would miss it`);
  return { leaf };
}

/**
 * The columns by which an entry is found, one after the other behind a unit separator, as the leaf and what opens it have them. The
 * store puts its own together in the same way (`selectStoredEntries`).
 */
function columnsOf(leaf: Leaf, { actor, object }: Openings): string {
  const user = actor === undefined ? '' : (actor.values.user ?? actor.values.id ?? '');
  const { time, action, outcome } = leaf;
  const about = `${leaf.object.kind}\x1f${withoutNul(leaf.object.id)}\x1f${object?.values.id ?? ''}`;
  const all = `${time}\x1f${leaf.actor.id ?? ''}\x1f${user}\x1f${action}\x1f${about}\x1f${outcome}\x1f${withoutNul(leaf.requestId)}`;
  return all.toWellFormed();
}

const withoutNul = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text);
