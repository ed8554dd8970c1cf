/** Takes exact numbers of bytes out of a stream of chunks. */
export type ByteReader = {
  take(count: number): Promise<Buffer>;
  /** As `take`, or undefined when not a byte is left. */
  takeOrEnd(count: number): Promise<Buffer | undefined>;
  /** What there is at once, at most so many bytes and at least one. */
  takeSome(most: number): Promise<Buffer>;
  skip(count: number): Promise<void>;
  /** Reads to the end and drops it. */
  drain(): Promise<void>;
};

/** `tooShort` makes the error for a stream that ends in the middle. */
export function createByteReader(source: AsyncIterable<Buffer>, tooShort: () => Error): ByteReader {
  const chunks = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    while (rest.length === 0) {
      const next = await chunks.next();
      if (next.done === true) return false;
      rest = next.value;
    }
    return true;
  };
  const takeSome = async (most: number): Promise<Buffer> => {
    if (!(await fill())) throw tooShort();
    const taken = rest.subarray(0, most);
    rest = rest.subarray(taken.length);
    return taken;
  };
  const take = async (count: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    let left = count;
    while (left > 0) {
      const part = await takeSome(left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
  };
  return {
    take,
    takeSome,
    takeOrEnd: async (count) => ((await fill()) ? take(count) : undefined),
    skip: async (count) => {
      let left = count;
      while (left > 0) left -= (await takeSome(left)).length;
    },
    drain: async () => {
      while (await fill()) rest = Buffer.alloc(0);
    },
  };
}
