/** The C2SP tlog-tiles layout (c2sp.org/tlog-tiles): paths, entry bundles and how many of each a tree has. */

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;

/** `x001/x234/067` for 1234067: three digits a folder, all but the last with an x. */
export function tileIndexPath(index: number): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/.{3}/g) ?? [];
  return groups.map((group, position) => (position < groups.length - 1 ? `x${group}` : group)).join('/');
}

const partial = (width: number): string => (width === TILE_WIDTH ? '' : `.p/${width}`);

export const tilePath = (level: number, index: number, width: number): string =>
  `tile/${level}/${tileIndexPath(index)}${partial(width)}`;
export const bundlePath = (index: number, width: number): string =>
  `tile/entries/${tileIndexPath(index)}${partial(width)}`;

/** The tiles of one level in a tree of `size` leaves: full ones, then perhaps a partial one. */
export function tilesOfLevel(level: number, size: number): { index: number; width: number }[] {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  const tiles = Array.from({ length: Math.floor(hashes / TILE_WIDTH) }, (_, index) => ({ index, width: TILE_WIDTH }));
  const rest = hashes % TILE_WIDTH;
  return rest === 0 ? tiles : [...tiles, { index: tiles.length, width: rest }];
}

/** How many levels of tiles a tree has. */
export function levelsOf(size: number): number {
  let levels = 0;
  while (Math.floor(size / TILE_WIDTH ** levels) > 0) levels += 1;
  return levels;
}

/** Entries one after the other, each behind its length in 16 bits, big-endian. */
export function encodeBundle(entries: string[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const bytes = Buffer.from(entry);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** The entries of a bundle; undefined when its lengths do not add up. */
export function decodeBundle(bundle: Buffer): Buffer[] | undefined {
  const entries: Buffer[] = [];
  let at = 0;
  while (at < bundle.length) {
    if (at + 2 > bundle.length) return undefined;
    const end = at + 2 + bundle.readUInt16BE(at);
    if (end > bundle.length) return undefined;
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
