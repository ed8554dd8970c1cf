/** The noun: an entry of the audit log, and the leaf of the Merkle tree that it becomes. */
import { hash } from 'node:crypto';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { sixteenRandomBytes } from '#kernel/random-bytes.ts';
import { isAttestation } from './attestation.ts';

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

/** Personal values of one person and the salt (hex) that commits to them. */
export type Opening = { salt: string; values: Record<string, string> };

/** What opens an entry's commitments: who acted, and whom it was about. A part is not there when there was none or it is erased. */
export type Openings = { actor?: Opening; object?: Opening };

export type SealedEntry = { leaf: string; openings: Openings };

const LEAF_VERSION = 1;
/** An entry bundle holds an entry's length in 16 bits (C2SP tlog-tiles). */
const LONGEST_LEAF_BYTES = 60_000;
/** Things whose id is a person's name. */
const PERSONAL_KINDS: ReadonlySet<string> = new Set(['user', 'quota']);

/**
 * The canonical leaf of an entry and what opens its commitments. Names of people are not in the leaf: a salted SHA-256 for the one who
 * acted and one for the one it was about are, so that either can be erased and every proof stays valid.
 */
export function sealEntry(draft: EntryDraft, seq: number, random: () => Buffer = sixteenRandomBytes): SealedEntry {
  const { personal = {}, actor, object: whole, ...rest } = draft;
  const isPersonal = PERSONAL_KINDS.has(whole.kind);
  const values: Record<string, string> = { ...personal };
  if (actor.user !== undefined) values.user = actor.user;
  if (actor.type === 'user') values.id = actor.id;
  const openings: Openings = {};
  if (Object.keys(values).length > 0) openings.actor = { salt: random().toString('hex'), values };
  if (isPersonal) openings.object = { salt: random().toString('hex'), values: objectValues(whole) };
  const leaf = canonicalJson({
    ...rest,
    v: LEAF_VERSION,
    seq,
    object: isPersonal ? { kind: whole.kind, id: '' } : whole,
    actor: actor.type === 'user' ? { type: actor.type } : { type: actor.type, id: actor.id },
    personal: commitments(openings),
  });
  return Buffer.byteLength(leaf) > LONGEST_LEAF_BYTES ? sealEntry(shorten(draft), seq, random) : { leaf, openings };
}

/** What is too long for a leaf still becomes an entry: one caller's long names must not stop the batch of all others. */
function shorten(draft: EntryDraft): EntryDraft {
  const cut = (text: string): string => text.slice(0, 1000);
  const { kind, id, digest } = draft.object;
  return {
    time: draft.time,
    actor: draft.actor,
    action: cut(draft.action),
    object: { kind: cut(kind), id: cut(id), ...(digest === undefined ? {} : { digest: cut(digest) }) },
    decision: draft.decision === null ? null : { ...draft.decision, bundles: draft.decision.bundles.slice(0, 100) },
    outcome: draft.outcome,
    requestId: cut(draft.requestId),
    ...(draft.door === undefined ? {} : { door: cut(draft.door) }),
    details: {
      ...Object.fromEntries(Object.entries(draft.details ?? {}).filter(([name]) => isAttestation(name))),
      cut: 'parts of this entry were too long',
    },
  };
}

function objectValues({ kind: _kind, ...values }: EntryDraft['object']): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function commitments(openings: Openings): Commitments | undefined {
  const { actor, object } = openings;
  if (actor === undefined && object === undefined) return undefined;
  return { ...(actor && { actor: commit(actor) }), ...(object && { object: commit(object) }) };
}

/** The person that an entry's actor is, and the one that its object is: by whom entries are found and erased. */
export function peopleOf(draft: EntryDraft): { actor: string | null; object: string | null } {
  const { actor, object } = draft;
  return {
    actor: actor.user ?? (actor.type === 'user' ? actor.id : null),
    object: PERSONAL_KINDS.has(object.kind) ? object.id : null,
  };
}

export type Commitments = { actor?: string; object?: string };

/** Whether what is kept beside a leaf is what it commits to; a part that is erased cannot be wrong. */
export function opensCommitments(openings: Openings, commitments: Commitments | undefined): boolean {
  const fits = (opening: Opening | undefined, commitment: string | undefined): boolean =>
    opening === undefined || commit(opening) === commitment;
  return fits(openings.actor, commitments?.actor) && fits(openings.object, commitments?.object);
}

/** The commitment to personal values: `sha256:` over the salt's bytes and the canonical JSON of the values. */
export function commit(opening: Opening): string {
  const opened = Buffer.concat([Buffer.from(opening.salt, 'hex'), Buffer.from(canonicalJson(opening.values))]);
  return `sha256:${hash('sha256', opened, 'hex')}`;
}

export type Leaf = Omit<EntryDraft, 'actor' | 'personal' | 'time'> & {
  v: number;
  seq: number;
  time: number;
  actor: { type: EntryDraft['actor']['type']; id?: string };
  personal?: Commitments;
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
export function viewEntry(leafText: string, openings: Openings, leafHash: string): EntryView {
  const leaf = JSON.parse(leafText) as Leaf;
  const values = openings.actor?.values ?? {};
  const isErased = leaf.personal?.actor !== undefined && openings.actor === undefined;
  const id = leaf.actor.id ?? values.id ?? (isErased ? 'erased' : '');
  const user = values.user ?? (isErased ? 'erased' : undefined);
  return {
    seq: leaf.seq,
    time: new Date(leaf.time).toISOString(),
    actor: { type: leaf.actor.type, id, ...(user === undefined ? {} : { user }) },
    action: leaf.action,
    object:
      leaf.personal?.object === undefined ? leaf.object : { ...leaf.object, id: 'erased', ...openings.object?.values },
    decision: leaf.decision,
    outcome: leaf.outcome,
    requestId: leaf.requestId,
    ...(leaf.door === undefined ? {} : { door: leaf.door }),
    details: leaf.details ?? {},
    leafHash,
  };
}
