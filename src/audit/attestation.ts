/**
 * What an entry says of the rows that its act left: for each its kind, its key and a digest of how it stands, or that it is gone.
 * So the database can be compared with the log: a row that no entry attests was not made by an act.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '#kernel/canonical-json.ts';
import type { Reader } from '#kernel/sql.ts';
import type { DetailValue } from './entry.ts';

export type RowKey = readonly (string | number)[];

/** How a row stands. `owner` is a person's name: it is compared, but never part of the digest, which nobody can erase. */
export type Standing = { key: RowKey; state: string; owner: string | undefined };

/** A kind of row that entries attest. */
export type AttestedRows = {
  kind: string;
  /** In a finding: "the approval apr-…". */
  noun: string;
  /** The key is a person's name: it stands with the personal values of the entry, which can be erased. */
  isPersonal: boolean;
  one(reader: Reader, key: RowKey): Promise<Standing | undefined>;
  /** Rows in the order of their keys, from after one on. */
  page(reader: Reader, after: RowKey | undefined, limit: number): Promise<Standing[]>;
};

const PREFIX = 'row:';
const GONE = 'gone';
const BY_ACTOR = ' by actor';
const STATE_LENGTH = 22;

/** 132 bits of SHA-256 over the values, in their order. */
export const stateOf = (values: readonly (string | number | null)[]): string =>
  createHash('sha256').update(canonicalJson(values)).digest('base64url').slice(0, STATE_LENGTH);

const LONGEST_KEY = 1500;

/** A key as text; one that would not fit into a leaf is a digest. */
export function keyText(key: RowKey): string {
  const text = canonicalJson(key);
  return text.length <= LONGEST_KEY ? text : createHash('sha256').update(text).digest('hex');
}

/** The key of a text; undefined for a digest. */
export const keyOfText = (text: string): RowKey | undefined =>
  text.startsWith('[') ? (JSON.parse(text) as RowKey) : undefined;

/** The detail that says how a row stands after an act of `user`. */
export function attestationDetail(
  rows: AttestedRows,
  key: RowKey,
  standing: Standing | undefined,
  user: string,
): [string, string] {
  const name = rows.isPersonal ? `${PREFIX}${rows.kind}` : `${PREFIX}${rows.kind}:${keyText(key)}`;
  if (standing === undefined) return [name, GONE];
  return [name, `${standing.state}${standing.owner === user ? BY_ACTOR : ''}`];
}

export const isAttestation = (detail: string): boolean => detail.startsWith(PREFIX);

/** What an entry attests. `key` is undefined where it is a name that was erased; `state` is null for a row that is gone. */
export type Attested = { kind: string; key: string | undefined; state: string | null; owner: string | undefined };

export function readAttestations(
  details: Record<string, DetailValue> | undefined,
  people: { actor: string | undefined; object: string | undefined },
): Attested[] {
  return Object.entries(details ?? {}).flatMap(([name, value]): Attested[] => {
    if (!isAttestation(name) || typeof value !== 'string') return [];
    const colon = name.indexOf(':', PREFIX.length);
    const kind = colon < 0 ? name.slice(PREFIX.length) : name.slice(PREFIX.length, colon);
    const person = people.object === undefined ? undefined : keyText([people.object]);
    const key = colon < 0 ? person : name.slice(colon + 1);
    if (value === GONE) return [{ kind, key, state: null, owner: undefined }];
    return [
      { kind, key, state: value.slice(0, STATE_LENGTH), owner: value.endsWith(BY_ACTOR) ? people.actor : undefined },
    ];
  });
}
