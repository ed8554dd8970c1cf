/** Verification of a running log: the store against the tree, the stored checkpoints and the published tiles. */
import type { Database } from '#kernel/sql.ts';
import { type EntryRow, selectCheckpoints, selectEntryRows, selectLatestCheckpoint } from './audit-store.ts';
import { CheckpointError, openCheckpoint } from './checkpoint.ts';
import { commit } from './entry.ts';
import { appendLeaf, emptyFrontier, leafHash, rootOf } from './merkle.ts';
import { type Finding, type Verification, verifyFolder } from './verify-folder.ts';

const PAGE = 2048;

type Deps = { database: Database; publicKey: string; folder: string; flushTiles: () => Promise<void> };

/** Names the first wrong entry, or says that store, tiles and all checkpoints are of one log. */
export async function verifyLog(deps: Deps, retained?: string): Promise<Verification> {
  const inStore = await verifyStore(deps);
  if (!inStore.ok) return inStore;
  const before = await deps.database.read((reader) => selectLatestCheckpoint(reader));
  if (before === undefined) return inStore;
  const tiles = verifyFolder({
    dir: deps.folder,
    publicKey: deps.publicKey,
    ...(retained === undefined ? {} : { retained }),
  });
  if (!tiles.ok)
    return {
      ...tiles,
      findings: tiles.findings.map((finding) => ({ ...finding, what: `published tiles: ${finding.what}` })),
    };
  const findings = tilesAgainstStore(await checkpointRoot(deps, tiles.size), tiles);
  return { ...inStore, ok: findings.length === 0, findings };
}

async function checkpointRoot(deps: Deps, size: number): Promise<string | undefined> {
  const [stored] = await deps.database.read((reader) => selectCheckpoints(reader, size - 1, 1));
  return stored?.size === size ? openCheckpoint(stored.note, deps.publicKey).root.toString('base64') : undefined;
}

function tilesAgainstStore(root: string | undefined, tiles: Verification): Finding[] {
  if (root === tiles.root) return [];
  const what =
    root === undefined
      ? `the published checkpoint of ${tiles.size} entries is not in the store: an older store was put back`
      : `the published checkpoint of ${tiles.size} entries has another root than the stored one`;
  return [{ what }];
}

async function verifyStore(deps: Deps): Promise<Verification> {
  let frontier = emptyFrontier();
  let checkpoints: { size: number; note: string }[] = [];
  let checkpointCursor = 0;
  let lastGood = 0;
  const result = (findings: Finding[]): Verification => ({
    ok: findings.length === 0,
    size: frontier.size,
    root: rootOf(frontier).toString('base64'),
    findings,
  });
  for (;;) {
    const from = frontier.size;
    const rows = await deps.database.read((reader) => selectEntryRows(reader, from, from + PAGE));
    if (rows.length === 0) break;
    for (const row of rows) {
      const wrong = wrongRow(row, frontier.size);
      if (wrong !== undefined) return result([wrong]);
      frontier = appendLeaf(frontier, row.leafHash);
      if (checkpoints.length === 0) {
        const after = checkpointCursor;
        checkpoints = await deps.database.read((reader) => selectCheckpoints(reader, after, PAGE));
      }
      if (checkpoints[0]?.size !== frontier.size) continue;
      const checkpoint = checkpoints.shift();
      checkpointCursor = frontier.size;
      const finding = wrongCheckpoint(
        checkpoint?.note ?? '',
        deps.publicKey,
        frontier.size,
        rootOf(frontier),
        lastGood,
      );
      if (finding !== undefined) return result([finding]);
      lastGood = frontier.size;
    }
  }
  const latest = await deps.database.read((reader) => selectLatestCheckpoint(reader));
  if (latest !== undefined && latest.size > frontier.size)
    return result([
      { seq: frontier.size, what: `entries ${frontier.size} to ${latest.size - 1} are gone from the store` },
    ]);
  if (lastGood < frontier.size)
    return result([
      {
        seq: lastGood,
        what: `entries from ${lastGood} on stand under no checkpoint: they were not written by the log`,
      },
    ]);
  return result([]);
}

function wrongRow(row: EntryRow, seq: number): Finding | undefined {
  if (row.seq !== seq) return { seq, what: `entry ${seq} is missing from the store` };
  if (!leafHash(row.leaf).equals(row.leafHash))
    return { seq, what: `entry ${seq} was changed: it does not have its hash` };
  let leaf: { seq?: unknown; personal?: unknown };
  try {
    leaf = JSON.parse(row.leaf) as { seq?: unknown; personal?: unknown };
  } catch {
    return { seq, what: `entry ${seq} is not JSON` };
  }
  if (leaf.seq !== seq) return { seq, what: `entry ${seq} says that it is ${String(leaf.seq)}: entries were moved` };
  if (row.opening !== null && commit(row.opening) !== leaf.personal)
    return { seq, what: `the personal values beside entry ${seq} are not those that it commits to` };
  return undefined;
}

function wrongCheckpoint(
  note: string,
  publicKey: string,
  size: number,
  root: Buffer,
  lastGood: number,
): Finding | undefined {
  try {
    if (openCheckpoint(note, publicKey).root.equals(root)) return undefined;
  } catch (error) {
    if (error instanceof CheckpointError)
      return { seq: size - 1, what: `the checkpoint after entry ${size - 1}: ${error.message}` };
    throw error;
  }
  const range = size - lastGood === 1 ? `entry ${lastGood}` : `one of the entries ${lastGood} to ${size - 1}`;
  return {
    seq: lastGood,
    what: `${range} was changed: the tree is not the one that was signed after entry ${size - 1}`,
  };
}
