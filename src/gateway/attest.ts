/** Collects which rows an act changes, and says in its entry how they stand when it is done. */
import type { Reader } from '#kernel/sql.ts';
import { type AttestedRows, attestationDetail, keyText, type RowKey } from '#src/audit/attestation.ts';
import type { EntryDraft } from '#src/audit/entry.ts';

export type Attesting = {
  note(kind: string, key: RowKey): void;
  /** The entry with its attestations; what is too much for one leaf goes into further ones of the same act. */
  entries(reader: Reader, entry: EntryDraft, user: string): Promise<EntryDraft[]>;
};

/** A leaf holds 60,000 bytes at most, and a byte of a key may take six. */
const LARGEST_PART = 8_000;

/** `kinds`: what the log speaks for; without them nothing is attested. */
export function createAttesting(kinds: ReadonlyMap<string, AttestedRows> | undefined): Attesting {
  const noted = new Map<string, { rows: AttestedRows; key: RowKey }>();
  return {
    note: (kind, key) => {
      if (kinds === undefined) return;
      const rows = kinds.get(kind);
      if (rows === undefined) throw new Error(`the log does not speak for rows of the kind ${kind}`);
      noted.set(`${kind}:${keyText(key)}`, { rows, key });
    },
    entries: async (reader, entry, user) => {
      const entries = [entry];
      let details = { ...entry.details };
      let size = 0;
      for (const { rows, key } of noted.values()) {
        const [name, value] = attestationDetail(rows, key, await rows.one(reader, key), user);
        if (size > LARGEST_PART) {
          details = { continued: true };
          size = 0;
          entries.push(entry);
        }
        details[name] = value;
        size += name.length + value.length;
        entries[entries.length - 1] = { ...entry, details };
      }
      return entries;
    },
  };
}
