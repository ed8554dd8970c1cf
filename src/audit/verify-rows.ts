/** The database against the log: every row that entries attest stands as the last of them left it, and there is no other. */
import type { Database, Reader } from '#kernel/sql.ts';
import { type AttestedRows, keyOfText, keyText, type RowKey, readAttestations, type Standing } from './attestation.ts';
import { type EntryRow, lockLog, selectEntryRows, selectSize } from './audit-store.ts';
import type { Leaf, Openings } from './entry.ts';
import { type Expectation, type Expectations, openExpectations } from './expectation-store.ts';
import type { Finding } from './verify-folder.ts';

const PAGE = 1000;
/** More doubts than these are not looked into: the first of them is finding enough. */
const MOST_DOUBTS = 2000;

export type RowCheck = {
  /** Takes in what an entry says, in the order of the log. */
  entry(leaf: Leaf, openings: Openings): void;
  /** Compares, with what was appended since the last entry. `compared` is undefined for a log that began without attestations. */
  finish(from: number): Promise<{ findings: Finding[]; compared: number | undefined }>;
  close(): void;
};

type Deps = { database: Database; attested: ReadonlyMap<string, AttestedRows> };
type Doubt = { rows: AttestedRows; key: RowKey };

export function createRowCheck(deps: Deps): RowCheck {
  const expectations = openExpectations();
  let attests = false;
  const entry = (leaf: Leaf, openings: Openings): void => {
    const people = { actor: openings.actor?.values.user, object: openings.object?.values.id };
    const attested = readAttestations(leaf.details, people);
    if (leaf.seq === 0) attests = attested.length > 0;
    for (const { kind, key, state, owner } of attested) {
      // A name that was erased is known by how its row stands.
      const place = key ?? `?${state}`;
      expectations.put(kind, place, { state, owner: owner ?? null, seq: leaf.seq });
    }
  };
  const catchUp = async (reader: Reader, from: number): Promise<number> => {
    const size = await selectSize(reader);
    for (let at = from; at < size; at += PAGE)
      for (const row of await selectEntryRows(reader, at, Math.min(size, at + PAGE))) takeRow(entry, row);
    return size;
  };
  return {
    entry,
    close: () => expectations.close(),
    finish: async (from) => {
      if (!attests) return { findings: [], compared: undefined };
      const read = await deps.database.read((reader) => catchUp(reader, from));
      const { doubts, compared } = await compareAll(deps, expectations);
      if (doubts.length === 0) return { findings: [], compared };
      // Acts went on meanwhile: what looks wrong is looked at again while none can.
      const findings = await deps.database.transaction(async (tx) => {
        await lockLog(tx);
        await catchUp(tx, read);
        const found: Finding[] = [];
        for (const { rows, key } of doubts) {
          const standing = await rows.one(tx, key);
          const finding = judge(rows, key, standing, expected(expectations, rows, key, standing));
          if (finding !== undefined) found.push(finding);
        }
        return found;
      });
      return { findings, compared };
    },
  };
}

function takeRow(entry: RowCheck['entry'], row: EntryRow): void {
  if (row.leaf.includes('"row:')) entry(JSON.parse(row.leaf) as Leaf, row.openings);
}

async function compareAll(
  { database, attested }: Deps,
  expectations: Expectations,
): Promise<{ doubts: Doubt[]; compared: number }> {
  const doubts: Doubt[] = [];
  let compared = 0;
  for (const rows of attested.values()) {
    for (let after: RowKey | undefined; doubts.length < MOST_DOUBTS; ) {
      const page = await database.read((reader) => rows.page(reader, after, PAGE));
      compared += page.length;
      for (const standing of page) {
        const found = expectations.find(rows.kind, keyText(standing.key));
        const known = found ?? expected(expectations, rows, standing.key, standing);
        if (judge(rows, standing.key, standing, known) !== undefined) doubts.push({ rows, key: standing.key });
      }
      after = page.at(-1)?.key;
      if (page.length < PAGE) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { key } of expectations.missing(rows.kind, MOST_DOUBTS)) {
      const parsed = keyOfText(key);
      if (parsed !== undefined) doubts.push({ rows, key: parsed });
    }
  }
  return { doubts: doubts.slice(0, MOST_DOUBTS), compared };
}

function expected(
  expectations: Expectations,
  rows: AttestedRows,
  key: RowKey,
  standing: Standing | undefined,
): Expectation | undefined {
  const known = expectations.get(rows.kind, keyText(key));
  if (known !== undefined || !rows.isPersonal || standing === undefined) return known;
  return expectations.get(rows.kind, `?${standing.state}`);
}

function judge(
  rows: AttestedRows,
  key: RowKey,
  standing: Standing | undefined,
  known: Expectation | undefined,
): Finding | undefined {
  const thing = `the ${rows.noun} ${key.join('/')}`;
  if (standing === undefined) {
    if (known === undefined || known.state === null) return undefined;
    return {
      seq: known.seq,
      what: `${thing}, which entry ${known.seq} left in the database, is gone: no entry says so`,
    };
  }
  if (known === undefined) return { what: `${thing} stands in the database, but no entry says that it was made` };
  if (known.state === null)
    return { seq: known.seq, what: `${thing}, which entry ${known.seq} removed, stands in the database again` };
  const isOwners = known.owner === null || standing.owner === undefined || known.owner === standing.owner;
  if (known.state === standing.state && isOwners) return undefined;
  return {
    seq: known.seq,
    what: `${thing} is not as entry ${known.seq} left it: it was changed in the database without an entry`,
  };
}
