import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startControlPlane } from '../../test/control-plane.ts';
import { quantiles, type Row, timed } from '../measure.ts';

const run = promisify(execFile);
const WRAPPER = join(import.meta.dirname, '../../fumehood');
const ROUNDS = 20;

/** The wrapper as people type it. */
export async function measureCommandLine(): Promise<Row[]> {
  const control = await startControlPlane();
  try {
    const env = { ...process.env, FUMEHOOD_HOME: control.home };
    const rows: Row[] = [];
    for (const [args, mostMs] of [
      [['--version'], 150],
      [['status'], 250],
    ] as const) {
      const { median, p99 } = quantiles(
        await timed(ROUNDS, 2, async () => void (await run(WRAPPER, [...args], { env }))),
      );
      rows.push({
        what: `./fumehood ${args.join(' ')}`,
        value: median,
        unit: 'ms',
        p99,
        against: [],
        reach: `<= ${mostMs} ms`,
        reached: median <= mostMs,
      });
    }
    return rows;
  } finally {
    await control.close();
  }
}
