/** A target of the fuzzing: one property, a few inputs in CI, and as many as FUMEHOOD_FUZZ_RUNS says in the longer mode. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#kernel/errors.ts';

const RUNS = Number(process.env.FUMEHOOD_FUZZ_RUNS ?? 0);
const SEED = process.env.FUMEHOOD_FUZZ_SEED;

type Options = {
  /** Inputs in CI. */
  quick?: number;
  /** How many of the longer mode's inputs a slow target takes: 0.01 is one in a hundred. */
  share?: number;
};

/** How many inputs a target takes. */
export const runsOf = ({ quick = 500, share = 1 }: Options = {}): number =>
  RUNS > 0 ? Math.max(quick, Math.round(RUNS * share)) : quick;

const paramsOf = (options: Options) => ({
  numRuns: runsOf(options),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
});

/** Inputs that a parser must take or refuse: it must not crash, hang or fail in any other way. */
export function target<T>(
  title: string,
  input: fc.Arbitrary<T>,
  check: (input: T) => void,
  options: Options = {},
): void {
  it(title, () => fc.assert(fc.property(input, check), paramsOf(options)));
}

/** The same for what takes time. */
export function slowTarget<T>(
  title: string,
  input: fc.Arbitrary<T>,
  check: (input: T) => Promise<void>,
  options: Options = {},
): void {
  it(title, () => fc.assert(fc.asyncProperty(input, check), paramsOf(options)));
}

/** What a parser makes of an input; nothing when it is refused with an error that its sender may see. */
export function taken<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assertRefusal(error);
    return undefined;
  }
}

export async function takenAfter<T>(parse: () => Promise<T>): Promise<T | undefined> {
  try {
    return await parse();
  } catch (error) {
    assertRefusal(error);
    return undefined;
  }
}

function assertRefusal(error: unknown): void {
  if (error instanceof AppError && error.code !== 'internal') return;
  assert.fail(`neither taken nor refused: ${error instanceof Error ? error.stack : String(error)}`);
}

/** Bytes in pieces as a network cuts them. */
export function inPieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

export const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** Texts that parsers trip over: odd characters, words of a grammar, and plain ones. */
export const hostileText = (...words: string[]): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...words) },
        { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
        fc.constantFrom(
          '\0',
          '\r\n',
          '..',
          '/',
          '%',
          '%2f',
          '%00',
          '\ud800',
          '\u202e',
          '__proto__',
          'constructor',
          '🔥',
        ),
        fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''));
