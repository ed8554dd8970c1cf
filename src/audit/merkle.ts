/** The Merkle tree of RFC 6962 section 2.1, as pure functions; proofs are checked by the algorithms of RFC 9162 section 2.1. */
import { createHash, hash as oneShot } from 'node:crypto';

const LEAF = Buffer.from([0]);
const HASH_BYTES = 32;

/** SHA-256 of 0x00 and the entry. */
export const leafHash = (entry: string | Buffer): Buffer =>
  oneShot('sha256', typeof entry === 'string' ? `\0${entry}` : Buffer.concat([LEAF, entry]), 'buffer');

/** SHA-256 of 0x01 and both children. */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  const both = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  both[0] = 1;
  both.set(left, 1);
  both.set(right, 1 + HASH_BYTES);
  return oneShot('sha256', both, 'buffer');
}

/** The root of the tree with no leaf. */
export const emptyRoot = (): Buffer => createHash('sha256').digest();

/** The perfect subtrees of a growing tree, largest first: all that is needed to append and to know the root. */
export type Frontier = { size: number; subtrees: { height: number; hash: Buffer }[] };

export const emptyFrontier = (): Frontier => ({ size: 0, subtrees: [] });

/** The frontier after one more leaf; `onSubtree` sees every perfect subtree that the leaf completes (height ≥ 1). */
export function appendLeaf(
  frontier: Frontier,
  leaf: Buffer,
  onSubtree: (subtree: { height: number; position: number; hash: Buffer }) => void = () => undefined,
): Frontier {
  const subtrees = [...frontier.subtrees];
  let top = { height: 0, hash: leaf };
  let last = subtrees.at(-1);
  while (last !== undefined && last.height === top.height) {
    top = { height: top.height + 1, hash: nodeHash(last.hash, top.hash) };
    onSubtree({ ...top, position: Math.floor(frontier.size / 2 ** top.height) });
    subtrees.pop();
    last = subtrees.at(-1);
  }
  subtrees.push(top);
  return { size: frontier.size + 1, subtrees };
}

/** The root hash of a frontier. */
export function rootOf(frontier: Frontier): Buffer {
  let root: Buffer | undefined;
  for (const { hash } of frontier.subtrees.toReversed()) root = root === undefined ? hash : nodeHash(hash, root);
  return root ?? emptyRoot();
}

/** The hash of the perfect subtree of 2^height leaves at `position` (counted in subtrees of that height). */
export type SubtreeSource = (height: number, position: number) => Promise<Buffer>;

const largestPowerBelow = (n: number): number => 2 ** Math.ceil(Math.log2(n) - 1);

/** The root over leaves `from` to `to` (exclusive). */
async function rangeRoot(source: SubtreeSource, from: number, to: number): Promise<Buffer> {
  const size = to - from;
  const height = Math.log2(size);
  if (Number.isInteger(height) && from % size === 0) return source(height, from / size);
  const split = largestPowerBelow(size);
  return nodeHash(await rangeRoot(source, from, from + split), await rangeRoot(source, from + split, to));
}

/** The frontier of a tree that is stored elsewhere. */
export async function loadFrontier(source: SubtreeSource, size: number): Promise<Frontier> {
  const subtrees: Frontier['subtrees'] = [];
  let done = 0;
  while (done < size) {
    const height = Math.floor(Math.log2(size - done));
    subtrees.push({ height, hash: await source(height, done / 2 ** height) });
    done += 2 ** height;
  }
  return { size, subtrees };
}

/** The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards (RFC 6962 section 2.1.1). */
export async function inclusionProof(source: SubtreeSource, index: number, size: number): Promise<Buffer[]> {
  const path = async (m: number, from: number, to: number): Promise<Buffer[]> => {
    if (to - from === 1) return [];
    const split = largestPowerBelow(to - from);
    if (m < split) return [...(await path(m, from, from + split)), await rangeRoot(source, from + split, to)];
    return [...(await path(m - split, from + split, to)), await rangeRoot(source, from, from + split)];
  };
  return path(index, 0, size);
}

/** The proof that the tree of `newSize` leaves begins with that of `oldSize` (RFC 6962 section 2.1.2). */
export async function consistencyProof(source: SubtreeSource, oldSize: number, newSize: number): Promise<Buffer[]> {
  const subproof = async (m: number, from: number, to: number, whole: boolean): Promise<Buffer[]> => {
    const n = to - from;
    if (m === n) return whole ? [] : [await rangeRoot(source, from, to)];
    const split = largestPowerBelow(n);
    if (m <= split)
      return [...(await subproof(m, from, from + split, whole)), await rangeRoot(source, from + split, to)];
    return [...(await subproof(m - split, from + split, to, false)), await rangeRoot(source, from, from + split)];
  };
  return oldSize === 0 || oldSize === newSize ? [] : subproof(oldSize, 0, newSize, true);
}

/** Whether `proof` shows that `leaf` is entry `index` of the tree with this size and root (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(options: {
  index: number;
  size: number;
  leaf: Buffer;
  proof: Buffer[];
  root: Buffer;
}): boolean {
  const { index, size, proof, root } = options;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let fn = BigInt(index);
  let sn = BigInt(size - 1);
  let r = options.leaf;
  for (const p of proof) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      r = nodeHash(r, p);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && r.equals(root);
}

/** Whether `proof` shows that the new tree begins with the old one (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(options: {
  oldSize: number;
  newSize: number;
  oldRoot: Buffer;
  newRoot: Buffer;
  proof: Buffer[];
}): boolean {
  const { oldSize, newSize, oldRoot, newRoot } = options;
  if (oldSize > newSize) return false;
  if (oldSize === 0) return options.proof.length === 0;
  if (oldSize === newSize) return options.proof.length === 0 && oldRoot.equals(newRoot);
  const proof = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...options.proof] : options.proof;
  let fn = BigInt(oldSize - 1);
  let sn = BigInt(newSize - 1);
  while (fn % 2n === 1n) {
    fn >>= 1n;
    sn >>= 1n;
  }
  const [first, ...rest] = proof;
  if (first === undefined) return false;
  let fr = first;
  let sr = first;
  for (const c of rest) {
    if (sn === 0n) return false;
    if (fn % 2n === 1n || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      sr = nodeHash(sr, c);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && fr.equals(oldRoot) && sr.equals(newRoot);
}
