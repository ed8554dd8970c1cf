import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import { startControlPlane, type TestControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';
import { quantiles, type Row, timedInTurn } from '../measure.ts';
import { create, firstOutput, remove, type Server, serverOf } from './sandbox-api.ts';
import { measureClaims } from './sandbox-claims.ts';
import { measureDensity } from './sandbox-density.ts';
import { measureWarmPython } from './sandbox-python.ts';

const run = promisify(execFile);
const ROUNDS = 20;
const EXECS = 200;

/** The bundle of a running sandbox. */
export function bundleOf(home: string, id: string): string {
  const { sandboxes } = pathsOf(join(home, 'driver'));
  const found = readdirSync(sandboxes)
    .map((slot) => join(sandboxes, slot))
    .filter((bundle) => existsSync(join(bundle, 'claim.json')))
    .find((bundle) => readFileSync(join(bundle, 'claim.json'), 'utf8').includes(`"sandboxId":"${id}"`));
  if (found === undefined) throw new Error(`there is no bundle of ${id}`);
  return found;
}

/** All of sandboxes: cold beside the bare runtime, made ahead beside cold, the warm interpreter, and how many there is room for. */
export async function measureSandboxes(say: (text: string) => void): Promise<Row[]> {
  return [
    ...(await measureCold(say)),
    ...(await measureClaims(say)),
    ...(await measureWarmPython(say)),
    ...(await measureDensity(say)),
  ];
}

const SMALL = { memory: '256m', disk: '64m' };

/** Creation to first output beside `runc run` of the same bundle; a command beside `runc exec`. */
async function measureCold(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane({ FUMEHOOD_POOL_WARM: '0' });
  try {
    const server = serverOf(control);
    const id = await create(server, SMALL);
    const scratch = copyBundle(control, id);
    try {
      say('creation to first output');
      const [ours = [], bare = []] = await timedInTurn(ROUNDS, 3, [
        async () => {
          await remove(server, await firstOutput(server, SMALL));
        },
        async (round) =>
          void (await run('runc', [
            '--root',
            join(scratch, 'runtime'),
            'run',
            '--bundle',
            join(scratch, 'bundle'),
            `bench-${round + 10}`,
          ])),
      ]);
      // What is compared ends with the first output: the removal is measured apart and taken off.
      const removals = await removalTimes(server);
      const [execs = [], bareExecs = []] = await execTimes(scratch, server, id, say);
      return [
        createRow(
          ours.map((ms, at) => ms - (removals[at % removals.length] ?? 0)),
          bare,
        ),
        execRow(execs, bareExecs),
      ];
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  } finally {
    await control.close();
  }
}

async function removalTimes(server: Server): Promise<number[]> {
  const samples: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    const id = await create(server, SMALL);
    const started = performance.now();
    await remove(server, id);
    samples.push(performance.now() - started);
  }
  return samples.sort((a, b) => a - b).slice(4, 6);
}

/** The other side is a container of the same bundle with a network namespace of its own: no command of runc enters one that is not its user namespace's. */
async function execTimes(
  scratch: string,
  server: Server,
  id: string,
  say: (text: string) => void,
): Promise<number[][]> {
  say('commands');
  const root = ['--root', join(scratch, 'runtime')];
  const name = `bench-exec-${process.pid}`;
  const bundle = writeBundle(scratch, 'bundle-exec', ['/bin/sleep', '600'], { ownNetwork: true });
  await runDetached(['run', '--detach', '--bundle', bundle, name], root);
  try {
    return await timedInTurn(EXECS, 10, [
      async () => void (await execIn(server, id, 'exec', { argv: ['/bin/true'] })),
      async () => void (await run('runc', [...root, 'exec', name, '/bin/true'])),
    ]);
  } finally {
    await run('runc', [...root, 'delete', '--force', name]);
  }
}

/** `runc run --detach` hands its output on to the container: it must not be a pipe that somebody waits for. */
function runDetached(args: string[], root: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('runc', [...root, ...args], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`runc ended with ${code}`))));
  });
}

function createRow(ours: number[], bare: number[]): Row {
  const { median, p99 } = quantiles(ours);
  const runc = quantiles(bare).median;
  const slower = median / runc;
  return {
    what: 'sandbox: creation to first output, cold',
    value: median,
    unit: 'ms',
    p99,
    against: [{ name: 'runc run of the same bundle', value: runc, ratio: runc / median }],
    reach: '<= 1.3x the time of runc run',
    reached: slower <= 1.3,
  };
}

function execRow(ours: number[], bare: number[]): Row {
  const { median, p99 } = quantiles(ours);
  const runc = quantiles(bare).median;
  return {
    what: 'sandbox: round trip of /bin/true',
    value: median,
    unit: 'ms',
    p99,
    against: [{ name: 'runc exec', value: runc, ratio: runc / median }],
    reach: '<= 5 ms',
    reached: median <= 5,
  };
}

type Config = {
  process: { args: string[] };
  root: { path: string };
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
};

/** Keeps the bundle of a running sandbox, so that others can be made of it that join its network namespace and workspace. */
function copyBundle(control: TestControlPlane, id: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const from = bundleOf(control.home, id);
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8')) as Config;
  config.root.path = join(from, 'rootfs');
  writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
  writeBundle(scratch, 'bundle', ['/bin/echo', 'first'], { ownNetwork: false });
  return scratch;
}

/** A bundle with another command in place of the agent. */
function writeBundle(scratch: string, name: string, args: string[], options: { ownNetwork: boolean }): string {
  const bundle = join(scratch, name);
  mkdirSync(bundle);
  const config = JSON.parse(readFileSync(join(scratch, 'config.json'), 'utf8')) as Config;
  config.process.args = args;
  config.linux.cgroupsPath = `${config.linux.cgroupsPath ?? '/fumehood'}-${name}`;
  if (options.ownNetwork)
    config.linux.namespaces = config.linux.namespaces.map((one) =>
      one.type === 'network' ? { type: 'network' } : one,
    );
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  return bundle;
}
