/** What can be wrong with one stored entry by itself. */
import type { StoredEntry } from './audit-store.ts';
import { type EntryDraft, type Leaf, opensCommitments } from './entry.ts';
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
  const column = wrongColumn(row, leaf);
  if (column !== undefined)
    return wrong(`entry ${seq} is found by a ${column} that is not its own: searches would miss it`);
  return { leaf };
}

/** The columns by which entries are found say what the leaf says; what was erased of them says nothing. */
function wrongColumn({ columns, openings }: StoredEntry, leaf: Leaf): string | undefined {
  const { actor, object } = openings;
  const found: Record<string, readonly [unknown, unknown]> = {
    time: [columns.timeMs, leaf.time],
    action: [columns.action, leaf.action],
    outcome: [columns.outcome, leaf.outcome],
    'kind of object': [columns.objectKind, leaf.object.kind],
    actor: [columns.actorId, leaf.actor.id ?? ''],
    object: [columns.objectId, withoutNul(leaf.object.id)],
    request: [columns.requestId, withoutNul(leaf.requestId)],
    user: [columns.actorUser, actor === undefined ? null : personOf(actor.values)],
    person: [columns.objectUser, object === undefined ? null : (object.values.id ?? null)],
  };
  return Object.keys(found).find((name) => found[name]?.[0] !== found[name]?.[1]);
}

const withoutNul = (text: string): string => text.replaceAll('\0', '');

const personOf = (values: Record<string, string>): string | null => values.user ?? values.id ?? null;

export type EntryColumns = {
  timeMs: number;
  actorId: string;
  action: EntryDraft['action'];
  objectKind: string;
  objectId: string;
  outcome: string;
  requestId: string;
  actorUser: string | null;
  objectUser: string | null;
};
