import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database, Reader, Tx } from '#kernel/sql.ts';
import {
  insertCheckpoint,
  insertEntries,
  insertSubtrees,
  lockLog,
  selectCheckpoint,
  selectLatestCheckpoint,
  selectSize,
} from './audit-store.ts';
import { openCheckpoint, type Signer } from './checkpoint.ts';
import type { Appender, Pending } from './committer.ts';
import { type EntryDraft, sealEntry } from './entry.ts';
import { appendLeaf, emptyFrontier, type Frontier, leafHash, loadFrontier, rootOf } from './merkle.ts';
import { storedLevel, storedSubtrees } from './subtree-source.ts';

export type AuditLog = Appender & {
  /** How many entries are durable. */
  size(): number;
  /** Calls back when a commit is durable. */
  onCommitted(listener: () => void): void;
};

/** Opens the log of a store; refuses a store whose newest checkpoint this key did not sign or whose tree is another. */
export async function openAuditLog(deps: { database: Database; signer: Signer; clock: Clock }): Promise<AuditLog> {
  let frontier = await deps.database.read((reader) => loadVerified(reader, deps.signer));
  let durableSize = frontier.size;
  const listeners: (() => void)[] = [];
  return {
    size: () => durableSize,
    onCommitted: (listener) => listeners.push(listener),
    begin: lockLog,
    append: async (tx, drafts) => {
      if (drafts.length === 0) return NOTHING_PENDING;
      // Another process may have moved the log, or a commit that seemed to fail may have been made after all.
      const base = (await selectSize(tx)) === frontier.size ? frontier : await loadVerified(tx, deps.signer);
      const { frontier: next, note } = await write(tx, base, drafts, deps);
      return {
        committed: () => {
          frontier = next;
        },
        durable: () => {
          durableSize = Math.max(durableSize, next.size);
          for (const listener of listeners) listener();
        },
        wasCommitted: () =>
          deps.database.transaction(async (later) => {
            await lockLog(later);
            return (await selectCheckpoint(later, next.size)) === note;
          }),
      };
    },
  };
}

const NOTHING_PENDING: Pending = {
  committed: () => undefined,
  durable: () => undefined,
  wasCommitted: async () => true,
};

async function write(
  tx: Tx,
  base: Frontier,
  drafts: EntryDraft[],
  deps: { signer: Signer; clock: Clock },
): Promise<{ frontier: Frontier; note: string }> {
  let frontier = base;
  const subtrees: { level: number; position: number; hash: Buffer }[] = [];
  const entries = drafts.map((draft) => {
    const seq = frontier.size;
    const { leaf, openings } = sealEntry(draft, seq);
    const hash = leafHash(leaf);
    frontier = appendLeaf(frontier, hash, ({ height, position, hash: subtree }) => {
      const level = storedLevel(height);
      if (level !== undefined) subtrees.push({ level, position, hash: subtree });
    });
    return { row: { seq, leaf, leafHash: hash, openings }, draft };
  });
  await insertEntries(tx, entries);
  await insertSubtrees(tx, subtrees);
  const note = deps.signer.sign({ size: frontier.size, root: rootOf(frontier) });
  await insertCheckpoint(tx, { size: frontier.size, note, timeMs: deps.clock.nowMs() });
  return { frontier, note };
}

async function loadVerified(reader: Reader, signer: Signer): Promise<Frontier> {
  const size = await selectSize(reader);
  const latest = await selectLatestCheckpoint(reader);
  if (size === 0 && latest === undefined) return emptyFrontier();
  try {
    if (latest === undefined) throw new Error('no checkpoint is stored');
    const checkpoint = openCheckpoint(latest.note, signer.publicKey);
    if (checkpoint.size !== size)
      throw new Error(`the newest checkpoint is of ${checkpoint.size} entries, the store has ${size}`);
    const frontier = await loadFrontier(storedSubtrees(reader), size);
    if (!rootOf(frontier).equals(checkpoint.root)) throw new Error('the tree is not the one that was signed');
    return frontier;
  } catch (error) {
    throw new AppError(
      'integrity',
      `The audit log does not fit its newest checkpoint: ${error instanceof Error ? error.message : String(error)}.`,
      {
        details: {
          hint: 'Nothing is written to it. Keep the home as evidence, verify what was published with "fumehood audit verify --dir HOME/audit --public-key HOME/audit/public-key", and restore the store and the key that belong together.',
        },
        cause: error,
      },
    );
  }
}
