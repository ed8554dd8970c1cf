/** The port door beside the same client inside the sandbox's network namespace: what it adds to a request, and what passes in a second. */
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startControlPlane, type TestControlPlane } from '../../test/control-plane.ts';
import { visit } from '../../test/port-visitor.ts';
import { median, quantiles, type Row } from '../measure.ts';
import { bundleOf } from './sandbox-bundle.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const PORT = 7000;
const ROUNDS = 500;
const BYTES = 256 * 2 ** 20;
const TURNS = 3;

type Measured = { samples: number[]; bytesPerSecond: number };

export async function measurePorts(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane();
  try {
    const { id } = await control.json<{ id: string }>([
      'sandbox',
      'create',
      '--name',
      'ports',
      '--memory',
      '2g',
      '--cpus',
      '1',
    ]);
    await control.run(['sandbox', 'cp', join(ROOT, 'test/escape/port-app.py'), `${id}:/workspace/app.py`]);
    const app = spawn(
      process.execPath,
      [join(ROOT, 'src/cli/main.ts'), 'sandbox', 'exec', id, '--', 'python3', '/workspace/app.py', String(PORT)],
      { env: { ...process.env, FUMEHOOD_HOME: control.home }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await new Promise<void>((resolve) => app.stdout.once('data', () => resolve()));
      return await measure(control, id, say);
    } finally {
      app.kill();
    }
  } finally {
    await control.close();
  }
}

async function measure(control: TestControlPlane, id: string, say: (text: string) => void): Promise<Row[]> {
  const opened = await control.json<{ url: string }>(['sandbox', 'open', id, '--port', String(PORT)]);
  const { origin, cookie } = await visit(opened.url);
  const { host, port } = new URL(origin);
  const namespace = networkOf(control, id);
  const through: Measured[] = [];
  const direct: Measured[] = [];
  for (let turn = 1; turn <= TURNS; turn += 1) {
    say(`turn ${turn} of ${TURNS}`);
    through.push(await client([], Number(port), { host, cookie }));
    direct.push(await client(['nsenter', `--net=${namespace}`], PORT, {}));
  }
  return rowsOf(through, direct);
}

/** Where the network of a running sandbox is pinned. */
function networkOf(control: TestControlPlane, id: string): string {
  const file = join(bundleOf(control.home, id), 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as { linux: { namespaces: { type: string; path?: string }[] } };
  const path = config.linux.namespaces.find((one) => one.type === 'network')?.path;
  if (path === undefined) throw new Error('the sandbox has no network namespace');
  return path;
}

async function client(before: string[], port: number, headers: Record<string, string>): Promise<Measured> {
  const job = JSON.stringify({ port, headers, rounds: ROUNDS, bytes: BYTES });
  const words = [...before, process.execPath, join(ROOT, 'bench/port-client.ts'), job];
  const { stdout } = await run(words[0] ?? '', words.slice(1), { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as Measured;
}

function rowsOf(through: Measured[], direct: Measured[]): Row[] {
  const ours = quantiles(through.flatMap((one) => one.samples));
  const bare = quantiles(direct.flatMap((one) => one.samples));
  const speed = (all: Measured[]): number => median(all.map((one) => one.bytesPerSecond)) / 1e6;
  return [
    {
      what: 'port door: a request over a kept connection',
      value: ours.median,
      unit: 'ms',
      p99: ours.p99,
      against: [{ name: 'inside the network namespace', value: bare.median, ratio: bare.median / ours.median }],
      reach: '<= 1 ms more',
      reached: ours.median - bare.median <= 1,
    },
    {
      what: 'port door: MB of one answer in a second',
      value: speed(through),
      unit: '/s',
      against: [{ name: 'inside the network namespace', value: speed(direct), ratio: speed(through) / speed(direct) }],
      reach: '>= 200 MB/s',
      reached: speed(through) >= 200,
    },
  ];
}
