import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startControlPlane } from '../../test/control-plane.ts';
import { quantiles, type Row, samplesInTurn } from '../measure.ts';
import { type Podman, podmanOf } from '../podman.ts';
import { create, firstOutput, manySmall, remove, type Server, serverOf, untilReady } from './sandbox-api.ts';
import { type BundleCopy, copyBundle, writeBundle } from './sandbox-bundle.ts';

const run = promisify(execFile);
const ROUNDS = 30;
const STOCK = { networks: 4, workspaces: 2 };
/** A size of which no workspace is kept ready. */
const UNUSUAL = { disk: '96m' };

/**
 * Creation to first output, the container made on the spot, beside `runc run` of the same bundle and `podman run` of the same root. What an
 * installation keeps ready for every sandbox (network namespaces, workspaces of the usual size) is ready, as it is for the bare runtime; a second
 * row makes the workspace on the spot too.
 */
export async function measureCold(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane({
    ...manySmall(0),
    FUMEHOOD_POOL_NETWORKS: String(STOCK.networks),
    FUMEHOOD_POOL_WORKSPACES: String(STOCK.workspaces),
  });
  const server = serverOf(control);
  let copy: BundleCopy | undefined;
  try {
    copy = copyBundle(control, await create(server));
    const podman = await podmanOf({ scratch: copy.scratch, bundle: copy.from, config: copy.config });
    say('creation to first output');
    const bare = {
      root: join(copy.scratch, 'runtime'),
      bundle: writeBundle(copy, 'bundle', ['/bin/echo', 'first'], { ownNetwork: false }),
    };
    const sides = [ours(server, {}), ours(server, UNUSUAL), () => timeOf(() => runBare(bare)), ...podmanSide(podman)];
    const [cold = [], bareWorkspace = [], runc = [], theirs = []] = await samplesInTurn(ROUNDS, 3, sides);
    if ('close' in podman) podman.close();
    return rowsOf({ cold, bareWorkspace, runc, theirs }, podman);
  } finally {
    if (copy !== undefined) rmSync(copy.scratch, { recursive: true, force: true });
    await control.close();
  }
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Ends with the first output; the removal and what is then kept ready anew do not count, and nobody is measured meanwhile. */
const ours = (server: Server, request: Record<string, unknown>) => async (): Promise<number> => {
  let id = '';
  const ms = await timeOf(async () => {
    id = await firstOutput(server, request);
  });
  await remove(server, id);
  for (const [pool, count] of Object.entries(STOCK)) await untilReady(server, count, pool);
  return ms;
};

let serial = 0;

async function runBare({ root, bundle }: { root: string; bundle: string }): Promise<void> {
  serial += 1;
  await run('runc', ['--root', root, 'run', '--bundle', bundle, `bench-${process.pid}-${serial}`]);
}

const podmanSide = (podman: Podman): (() => Promise<number>)[] =>
  'missing' in podman ? [] : [() => timeOf(podman.echo)];

type Samples = { cold: number[]; bareWorkspace: number[]; runc: number[]; theirs: number[] };

function rowsOf(samples: Samples, podman: Podman): Row[] {
  const { median: cold, p99 } = quantiles(samples.cold);
  const unusual = quantiles(samples.bareWorkspace);
  const runc = quantiles(samples.runc).median;
  const theirs = quantiles(samples.theirs).median;
  const what = 'sandbox: creation to first output, cold';
  const besideRunc = (ms: number): Row['against'] => [
    { name: 'runc run of the same bundle', value: runc, ratio: runc / ms },
  ];
  return [
    {
      what,
      value: cold,
      unit: 'ms',
      p99,
      against: besideRunc(cold),
      reach: '<= 1.3x the time of runc run',
      reached: cold <= 1.3 * runc,
    },
    {
      what,
      value: cold,
      unit: 'ms',
      p99,
      against:
        'missing' in podman ? [] : [{ name: 'podman run of the same root', value: theirs, ratio: theirs / cold }],
      reach:
        'missing' in podman
          ? `<= 0.5x the time of podman run, which does not run here: ${podman.missing}`
          : '<= 0.5x the time of podman run',
      reached: !('missing' in podman) && cold <= 0.5 * theirs,
    },
    {
      what: `${what}, its workspace made on the spot too`,
      value: unusual.median,
      unit: 'ms',
      p99: unusual.p99,
      against: besideRunc(unusual.median),
      reach: 'for information',
      reached: true,
    },
  ];
}
