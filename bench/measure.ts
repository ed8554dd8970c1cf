/** Figures: samples, their quantiles, and rows that put ours beside what people would use instead. */

export type Quantiles = { median: number; p99: number; count: number };

/** What one benchmark found. `value` and `against` are in `unit`; a ratio is written so that more is better for us. */
export type Row = {
  what: string;
  value: number;
  unit: 'ms' | 'µs' | '/s' | 'MB' | 'MiB' | 'MB/s';
  p99?: number;
  against: { name: string; value: number; ratio: number }[];
  /** What we mean to reach, in words, and whether it was. */
  reach: string;
  reached: boolean;
};

/** The median and the 99th percentile (nearest rank) of samples. */
export function quantiles(samples: readonly number[]): Quantiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { median: rank(0.5), p99: rank(0.99), count: sorted.length };
}

export const median = (samples: readonly number[]): number => quantiles(samples).median;

/** How long `work` takes, in ms, each of `count` times after `warmUp` times that do not count. */
export async function timed(count: number, warmUp: number, work: (round: number) => Promise<void>): Promise<number[]> {
  const samples: number[] = [];
  for (let round = -warmUp; round < count; round += 1) {
    const started = performance.now();
    await work(round);
    if (round >= 0) samples.push(performance.now() - started);
  }
  return samples;
}

/** The same for some sides in turn, so that all see the same machine. */
export const timedInTurn = (
  count: number,
  warmUp: number,
  sides: readonly ((round: number) => Promise<void>)[],
): Promise<number[][]> =>
  samplesInTurn(
    count,
    warmUp,
    sides.map((side) => async (round) => {
      const started = performance.now();
      await side(round);
      return performance.now() - started;
    }),
  );

/** What the sides give, asked in turn. */
export async function samplesInTurn(
  count: number,
  warmUp: number,
  sides: readonly ((round: number) => Promise<number>)[],
): Promise<number[][]> {
  const samples: number[][] = sides.map(() => []);
  for (let round = -warmUp; round < count; round += 1) {
    for (const [index, side] of sides.entries()) {
      const value = await side(round);
      if (round >= 0) samples[index]?.push(value);
    }
  }
  return samples;
}

export const round = (value: number): number =>
  value >= 100 ? Math.round(value) : value >= 1 ? Math.round(value * 100) / 100 : Math.round(value * 10_000) / 10_000;

/** The median of what each side gives, asked in turn so that all see the same machine; a first round does not count. */
export async function timedRounds(count: number, sides: readonly (() => Promise<number>)[]): Promise<number[]> {
  const samples: number[][] = sides.map(() => []);
  for (let round = -1; round < count; round += 1)
    for (const [at, side] of sides.entries()) {
      const value = await side();
      if (round >= 0) samples[at]?.push(value);
    }
  return samples.map(median);
}
