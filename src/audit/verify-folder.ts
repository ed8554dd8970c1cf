/** Offline verification of a folder of tiles: needs the folder and the public key, nothing else of Fumehood. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, CheckpointError, openCheckpoint } from './checkpoint.ts';
import { appendLeaf, emptyFrontier, type Frontier, leafHash, rootOf } from './merkle.ts';
import { bundlePath, decodeBundle, levelsOf, TILE_WIDTH, tilePath, tilesOfLevel } from './tiles.ts';

const HASH_BYTES = 32;

/** `seq` is the first wrong entry where one can be named; `what` says what is wrong. */
export type Finding = { seq?: number; what: string };
export type Verification = { ok: boolean; size: number; root: string; findings: Finding[] };

export type FolderOptions = {
  dir: string;
  publicKey: string;
  /** A checkpoint that somebody kept: without one, a log that was cut or rolled back with its checkpoint cannot be told from a shorter one. */
  retained?: string;
};

/** Checks signature, every entry, every tile and the root; with a retained checkpoint also that the log still begins with that tree. */
export function verifyFolder(options: FolderOptions): Verification {
  const work = verifyInSteps(options);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The same, letting others work between the steps: for a server that goes on answering. */
export async function verifyFolderGently(options: FolderOptions): Promise<Verification> {
  const work = verifyInSteps(options);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One step is a bundle of entries. */
function* verifyInSteps(options: FolderOptions): Generator<void, Verification> {
  let checkpoint: Checkpoint;
  let retained: Checkpoint | undefined;
  try {
    checkpoint = openCheckpoint(readFileSync(join(options.dir, 'checkpoint'), 'utf8'), options.publicKey);
    retained = options.retained === undefined ? undefined : openCheckpoint(options.retained, options.publicKey);
  } catch (error) {
    const what = error instanceof CheckpointError ? error.message : 'the folder has no readable checkpoint';
    return { ok: false, size: 0, root: '', findings: [{ what }] };
  }
  const findings = retained !== undefined && retained.size > checkpoint.size ? [cutFinding(checkpoint, retained)] : [];
  const walk = yield* walkEntries(options.dir, checkpoint.size, retained);
  findings.push(...walk.findings);
  if (walk.findings.length === 0) findings.push(...checkTiles(options.dir, checkpoint.size, walk.subtrees));
  const root = rootOf(walk.frontier);
  if (findings.length === 0 && !root.equals(checkpoint.root))
    findings.push({ what: 'the entries do not make the root that the checkpoint signs' });
  return { ok: findings.length === 0, size: checkpoint.size, root: checkpoint.root.toString('base64'), findings };
}

const cutFinding = (checkpoint: Checkpoint, retained: Checkpoint): Finding => ({
  seq: checkpoint.size,
  what: `the log ends after ${checkpoint.size} entries, but a retained checkpoint has ${retained.size}: it was cut or rolled back`,
});

type Walk = { frontier: Frontier; findings: Finding[]; subtrees: Map<string, Buffer> };

/** Every entry against its place, its hash in the tile and the tree; stops at the first that is wrong. */
function* walkEntries(dir: string, size: number, retained: Checkpoint | undefined): Generator<void, Walk> {
  const subtrees = new Map<string, Buffer>();
  let frontier = emptyFrontier();
  const stop = (finding: Finding): Walk => ({ frontier, findings: [finding], subtrees });
  for (const { index, width } of tilesOfLevel(0, size)) {
    yield;
    const first = index * TILE_WIDTH;
    const bundle = read(join(dir, bundlePath(index, width))) ?? read(join(dir, bundlePath(index, TILE_WIDTH)));
    const tile = readTile(dir, 0, index, width);
    if (bundle === undefined)
      return stop({ seq: first, what: `the entries ${first} to ${first + width - 1} are missing` });
    if (tile === undefined)
      return stop({ seq: first, what: `the tile of hashes ${first} to ${first + width - 1} is missing or cut` });
    const entries = decodeBundle(bundle);
    for (let at = 0; at < width; at += 1) {
      const seq = first + at;
      const entry = entries?.[at];
      if (entry === undefined)
        return stop({ seq, what: `entry ${seq} is missing: its bundle is cut or its lengths do not add up` });
      const hash = leafHash(entry);
      const wrong = wrongEntry(seq, entry, hash, tile.subarray(at * 32, at * 32 + 32));
      if (wrong !== undefined) return stop(wrong);
      frontier = appendLeaf(frontier, hash, ({ height, position, hash: subtree }) => {
        if (height % 8 === 0) subtrees.set(`${height / 8}/${position}`, subtree);
      });
      if (retained !== undefined && frontier.size === retained.size && !rootOf(frontier).equals(retained.root)) {
        return stop({
          seq,
          what: `the first ${retained.size} entries are not those that a retained checkpoint signs: the log was forked`,
        });
      }
    }
    if (entries !== undefined && entries.length > width && entries.length !== TILE_WIDTH)
      return stop({ seq: first + width, what: `the bundle of entry ${first} has more entries than the checkpoint` });
  }
  return { frontier, findings: [], subtrees };
}

function wrongEntry(seq: number, entry: Buffer, hash: Buffer, inTile: Buffer): Finding | undefined {
  if (!hash.equals(inTile))
    return { seq, what: `entry ${seq} does not have the hash that its tile holds: it was changed` };
  try {
    const leaf = JSON.parse(entry.toString('utf8')) as { seq?: unknown };
    if (leaf.seq !== seq)
      return { seq, what: `entry ${seq} says that it is ${String(leaf.seq)}: entries were moved, inserted or removed` };
  } catch {
    return { seq, what: `entry ${seq} is not JSON` };
  }
  return undefined;
}

/** The tiles above the entries against the subtrees that the entries make. */
function checkTiles(dir: string, size: number, subtrees: Map<string, Buffer>): Finding[] {
  for (let level = 1; level < levelsOf(size); level += 1) {
    for (const { index, width } of tilesOfLevel(level, size)) {
      const tile = readTile(dir, level, index, width);
      const wanted = Buffer.concat(
        Array.from(
          { length: width },
          (_, at) => subtrees.get(`${level}/${index * TILE_WIDTH + at}`) ?? Buffer.alloc(32),
        ),
      );
      if (tile === undefined || !tile.equals(wanted))
        return [
          { what: `${tilePath(level, index, width)} is missing or does not hold the hashes of the entries below it` },
        ];
    }
  }
  return [];
}

/** The first hashes of a tile. A partial tile may be gone once the full one is there (C2SP tlog-tiles, "Partial Tiles"). */
function readTile(dir: string, level: number, index: number, width: number): Buffer | undefined {
  const exact = read(join(dir, tilePath(level, index, width)));
  if (exact !== undefined) return exact.length === width * HASH_BYTES ? exact : undefined;
  const full = read(join(dir, tilePath(level, index, TILE_WIDTH)));
  return full?.length === TILE_WIDTH * HASH_BYTES ? full.subarray(0, width * HASH_BYTES) : undefined;
}

const read = (path: string): Buffer | undefined => (existsSync(path) ? readFileSync(path) : undefined);
