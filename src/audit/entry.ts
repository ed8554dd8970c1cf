/** The noun: an entry of the audit log, and the leaf of the Merkle tree that it becomes. */
import { createHash, randomBytes } from 'node:crypto';
import { canonicalJson } from '#kernel/canonical-json.ts';

export type DetailValue = string | number | boolean | null;

/** What a crossing says of itself. Never a secret, a key or a body. */
export type EntryDraft = {
  /** ms since the epoch */
  time: number;
  actor: { type: 'user' | 'sandbox' | 'system'; id: string; user?: string };
  action: string;
  object: { kind: string; id: string; name?: string; version?: string; digest?: string };
  decision: { id: string; allowed: boolean; bundles: string[]; inputDigest: string } | null;
  outcome: 'ok' | 'denied' | 'failed';
  requestId: string;
  door?: string;
  details?: Record<string, DetailValue>;
  /** Further personal values, by name: kept beside the leaf, never in it. */
  personal?: Record<string, string>;
};

/** Personal values and the salt that commits to them; `null` values: erased. */
export type Opening = { salt: string; values: Record<string, string> };

export type SealedEntry = { leaf: string; opening: Opening | null };

const LEAF_VERSION = 1;
/** An entry bundle holds an entry's length in 16 bits (C2SP tlog-tiles). */
const LONGEST_LEAF_BYTES = 60_000;
/** Things whose id is a person's name. */
const PERSONAL_KINDS: ReadonlySet<string> = new Set(['user', 'quota']);

/**
 * The canonical leaf of an entry and what opens its commitment. Names of people are not in the leaf: one salted SHA-256 over all of
 * them is, so that they can be erased and every proof stays valid.
 */
export function sealEntry(draft: EntryDraft, seq: number, random: () => Buffer = () => randomBytes(16)): SealedEntry {
  const { personal = {}, actor, object: whole, ...rest } = draft;
  const values: Record<string, string> = { ...personal };
  let object: EntryDraft['object'] = whole;
  if (PERSONAL_KINDS.has(whole.kind)) {
    values['object.id'] = whole.id;
    object = { kind: whole.kind, id: '' };
  }
  if (actor.user !== undefined) values['actor.user'] = actor.user;
  if (actor.type === 'user') values['actor.id'] = actor.id;
  const hasPersonal = Object.keys(values).length > 0;
  const salt = hasPersonal ? random().toString('hex') : '';
  const leaf = canonicalJson({
    ...rest,
    v: LEAF_VERSION,
    seq,
    object,
    actor: actor.type === 'user' ? { type: actor.type } : { type: actor.type, id: actor.id },
    ...(hasPersonal ? { personal: commit({ salt, values }) } : {}),
  });
  if (Buffer.byteLength(leaf) > LONGEST_LEAF_BYTES)
    return sealEntry({ ...draft, details: { cut: 'the details were too long' } }, seq, random);
  return { leaf, opening: hasPersonal ? { salt, values } : null };
}

/** The commitment to personal values: `sha256:` over the salt's bytes and the canonical JSON of the values. */
export function commit(opening: Opening): string {
  const hash = createHash('sha256').update(Buffer.from(opening.salt, 'hex')).update(canonicalJson(opening.values));
  return `sha256:${hash.digest('hex')}`;
}

export type Leaf = Omit<EntryDraft, 'actor' | 'personal' | 'time'> & {
  v: number;
  seq: number;
  time: number;
  actor: { type: EntryDraft['actor']['type']; id?: string };
  personal?: string;
};

/** An entry as people read it: the leaf with its personal values, or with `erased` where they were. */
export type EntryView = {
  seq: number;
  time: string;
  actor: { type: string; id: string; user?: string };
  action: string;
  object: EntryDraft['object'];
  decision: EntryDraft['decision'];
  outcome: EntryDraft['outcome'];
  requestId: string;
  door?: string;
  details: Record<string, DetailValue>;
  leafHash: string;
};

/** Joins a stored leaf with its opening. */
export function viewEntry(leafText: string, opening: Opening | null, leafHash: string): EntryView {
  const leaf = JSON.parse(leafText) as Leaf;
  const values = opening?.values ?? {};
  const erased = leaf.personal !== undefined && opening === null;
  const id = leaf.actor.id ?? values['actor.id'] ?? (erased ? 'erased' : '');
  const user = values['actor.user'] ?? (erased ? 'erased' : undefined);
  return {
    seq: leaf.seq,
    time: new Date(leaf.time).toISOString(),
    actor: { type: leaf.actor.type, id, ...(user === undefined ? {} : { user }) },
    action: leaf.action,
    object:
      leaf.object.id === '' && leaf.personal !== undefined
        ? { ...leaf.object, id: values['object.id'] ?? 'erased' }
        : leaf.object,
    decision: leaf.decision,
    outcome: leaf.outcome,
    requestId: leaf.requestId,
    ...(leaf.door === undefined ? {} : { door: leaf.door }),
    details: leaf.details ?? {},
    leafHash,
  };
}
