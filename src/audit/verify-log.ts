/** Verification of a running log: the store against the tree, the stored checkpoints and the published tiles. */
import type { Database } from '#kernel/sql.ts';
import type { AttestedRows } from './attestation.ts';
import {
  selectCheckpoints,
  selectLatestCheckpoint,
  selectSize,
  selectStoredEntries,
  selectSubtrees,
} from './audit-store.ts';
import { CheckpointError, openCheckpoint, parseVerifierKey, type VerifierKey } from './checkpoint.ts';
import { appendLeaf, emptyFrontier, type Frontier, rootOf } from './merkle.ts';
import { storedLevel } from './subtree-source.ts';
import { type Finding, type FolderOptions, type Verification, verifyFolderGently } from './verify-folder.ts';
import { createRowCheck, type RowCheck } from './verify-rows.ts';
import { readStoredEntry } from './wrong-entry.ts';

const PAGE = 2048;

/** What the store alone is checked with. */
type StoreDeps = { database: Database; publicKey: string };
type Deps = StoreDeps & {
  folder: string;
  /** Verifies the folder; elsewhere than on this thread where the log is long. */
  verifyTiles?: (options: FolderOptions) => Promise<Verification>;
  /** The rows that entries attest; without them the database is not compared with the log. */
  attested?: ReadonlyMap<string, AttestedRows>;
};

/** `rows`: how many were compared with what the entries say of them. */
export type LogVerification = Verification & { rows?: number };

/** Names the first wrong entry, or says that store, tiles and all checkpoints are of one log. */
export async function verifyLog(deps: Deps, retained?: string): Promise<LogVerification> {
  const check = deps.attested === undefined ? undefined : createRowCheck({ ...deps, attested: deps.attested });
  try {
    const [inStore, tiles] = await Promise.all([verifyStore(deps, check), verifyTiles(deps, retained)]);
    const ofLog = inStore.ok && tiles !== undefined ? await besideStore(deps, inStore, tiles) : inStore;
    if (!ofLog.ok || check === undefined) return ofLog;
    const { findings, compared } = await check.finish(inStore.size);
    return {
      ...ofLog,
      ok: findings.length === 0,
      findings,
      ...(compared === undefined ? {} : { rows: compared }),
    };
  } finally {
    check?.close();
  }
}

/** The published folder; nothing where no entry was ever signed. */
async function verifyTiles(deps: Deps, retained: string | undefined): Promise<Verification | undefined> {
  if ((await deps.database.read((reader) => selectLatestCheckpoint(reader))) === undefined) return undefined;
  return (deps.verifyTiles ?? verifyFolderGently)({
    dir: deps.folder,
    publicKey: deps.publicKey,
    ...(retained === undefined ? {} : { retained }),
  });
}

async function besideStore(deps: Deps, inStore: Verification, tiles: Verification): Promise<Verification> {
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

/** The whole store up to its newest checkpoint. What is appended meanwhile is left for the next time. */
export async function verifyStore(deps: StoreDeps, check?: RowCheck): Promise<Verification> {
  const { stored, signed } = await deps.database.read(async (reader) => {
    const stored = await selectSize(reader);
    return { stored, signed: (await selectLatestCheckpoint(reader))?.size ?? 0 };
  });
  const key = parseVerifierKey(deps.publicKey);
  const walk: StoreWalk = { frontier: emptyFrontier(), lastGood: 0, subtrees: [], key };
  let finding: Finding | undefined;
  while (finding === undefined && walk.frontier.size < signed) {
    finding = await verifyPage(deps, walk, Math.min(signed, walk.frontier.size + PAGE), check);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (finding === undefined && signed < stored)
    finding = {
      seq: signed,
      what: `entries from ${signed} on stand under no checkpoint: they were not written by the log`,
    };
  return {
    ok: finding === undefined,
    size: walk.frontier.size,
    root: rootOf(walk.frontier).toString('base64'),
    findings: finding === undefined ? [] : [finding],
  };
}

/** `lastGood`: the size of the newest checkpoint that was found right. */
type StoreWalk = {
  frontier: Frontier;
  lastGood: number;
  subtrees: { level: number; position: number; hash: Buffer }[];
  key: VerifierKey;
};

/** Entries up to `to`, with the checkpoints and subtree hashes that are made of them. */
async function verifyPage(
  deps: StoreDeps,
  walk: StoreWalk,
  to: number,
  check: RowCheck | undefined,
): Promise<Finding | undefined> {
  const from = walk.frontier.size;
  const rows = await deps.database.read((reader) => selectStoredEntries(reader, from, to));
  const checkpoints = await deps.database.read((reader) => selectCheckpoints(reader, from, to - from));
  let next = 0;
  for (const row of rows) {
    const read = readStoredEntry(row, walk.frontier.size);
    if ('wrong' in read) return read.wrong;
    check?.entry(read.leaf, row.openings);
    walk.frontier = appendLeaf(walk.frontier, row.leafHash, ({ height, position, hash }) => {
      const level = storedLevel(height);
      if (level !== undefined) walk.subtrees.push({ level, position, hash });
    });
    const { size } = walk.frontier;
    const checkpoint = checkpoints[next];
    if (checkpoint?.size !== size) continue;
    next += 1;
    const finding = wrongCheckpoint(walk, checkpoint.note, size);
    if (finding !== undefined) return finding;
    walk.lastGood = size;
  }
  const { size } = walk.frontier;
  if (size < to) return { seq: size, what: `entries ${size} to ${to - 1} are gone from the store` };
  return wrongSubtree(deps, walk.subtrees.splice(0));
}

/** The stored hashes of subtrees, out of which tiles and proofs are made, against those that the entries make. */
async function wrongSubtree(deps: StoreDeps, made: StoreWalk['subtrees']): Promise<Finding | undefined> {
  for (const { level, position, hash } of made) {
    const [stored] = await deps.database.read((reader) => selectSubtrees(reader, level, position, position + 1));
    if (stored?.equals(hash) === true) continue;
    const width = 256 ** level;
    return {
      seq: position * width,
      what: `the stored hash over entries ${position * width} to ${(position + 1) * width - 1} is not the one that they make`,
    };
  }
  return undefined;
}

function wrongCheckpoint({ key, frontier, lastGood }: StoreWalk, note: string, size: number): Finding | undefined {
  try {
    if (openCheckpoint(note, key).root.equals(rootOf(frontier))) return undefined;
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
