import { startControlPlane } from '../../test/control-plane.ts';
import { quantiles, type Row } from '../measure.ts';
import { firstOutput, manySmall, remove, type Server, serverOf, untilReady } from './sandbox-api.ts';

const ROUNDS = 30;
const AT_ONCE = 50;
const BURSTS = 2;

/** Sandboxes that were made ahead beside the same ones made on the spot: one after the other, and fifty at once. */
export async function measureClaims(say: (text: string) => void): Promise<Row[]> {
  const cold = await measured(0, say);
  const ahead = await measured(AT_ONCE, say);
  const [one, oneCold] = [quantiles(ahead.single), quantiles(cold.single)];
  const [many, manyCold] = [quantiles(ahead.burst), quantiles(cold.burst)];
  return [
    {
      what: 'sandbox: creation to first output, made ahead',
      value: one.median,
      unit: 'ms',
      p99: one.p99,
      against: [{ name: 'the same cold', value: oneCold.median, ratio: oneCold.median / one.median }],
      reach: '<= 15 ms',
      reached: one.median <= 15,
    },
    {
      what: `sandbox: ${AT_ONCE} at once, each to first output, made ahead`,
      value: many.median,
      unit: 'ms',
      p99: many.p99,
      against: [{ name: 'the same cold', value: manyCold.median, ratio: manyCold.median / many.median }],
      reach: 'p99 <= 300 ms',
      reached: many.p99 <= 300,
    },
  ];
}

async function measured(ahead: number, say: (text: string) => void): Promise<{ single: number[]; burst: number[] }> {
  const control = await startControlPlane(manySmall(ahead));
  try {
    const server = serverOf(control);
    // What only the first one pays: code that is loaded, statements that are prepared.
    await remove(server, await firstOutput(server));
    say(ahead === 0 ? 'one after the other, cold' : 'one after the other, made ahead');
    const single: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // All of them: while others are being made the machine is busy with that.
      await untilReady(server, ahead);
      single.push(...(await timedBurst(server, 1)));
    }
    say(`${AT_ONCE} at once, ${ahead === 0 ? 'cold' : 'made ahead'}`);
    const burst: number[] = [];
    for (let round = 0; round < BURSTS; round += 1) {
      await untilReady(server, ahead);
      burst.push(...(await timedBurst(server, AT_ONCE)));
    }
    return { single, burst };
  } finally {
    await control.close();
  }
}

/** So many creations at the same moment; how long each took to its first output. They are removed afterwards. */
async function timedBurst(server: Server, count: number): Promise<number[]> {
  const started = performance.now();
  const made = await Promise.all(
    Array.from({ length: count }, async () => ({ id: await firstOutput(server), ms: performance.now() - started })),
  );
  for (const { id } of made) await remove(server, id);
  return made.map(({ ms }) => ms);
}
