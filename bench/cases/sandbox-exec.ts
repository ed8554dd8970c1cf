import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';
import { quantiles, type Row, timedInTurn } from '../measure.ts';
import { create, serverOf } from './sandbox-api.ts';
import { copyBundle, runDetached, writeBundle } from './sandbox-bundle.ts';

const run = promisify(execFile);
const EXECS = 200;

/**
 * A command in a sandbox beside `runc exec`. The other side is a container of the same bundle with a network namespace of its own: no command of
 * runc enters one that is not its user namespace's.
 */
export async function measureExec(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane({ FUMEHOOD_POOL_WARM: '0' });
  try {
    const server = serverOf(control);
    const id = await create(server);
    const copy = copyBundle(control, id);
    const root = ['--root', join(copy.scratch, 'runtime')];
    const name = `bench-exec-${process.pid}`;
    try {
      say('commands');
      const bundle = writeBundle(copy, 'bundle-exec', ['/bin/sleep', '600'], { ownNetwork: true });
      await runDetached(['run', '--detach', '--bundle', bundle, name], root);
      const [ours = [], bare = []] = await timedInTurn(EXECS, 10, [
        async () => void (await execIn(server, id, 'exec', { argv: ['/bin/true'] })),
        async () => void (await run('runc', [...root, 'exec', name, '/bin/true'])),
      ]);
      return [execRow(ours, bare)];
    } finally {
      await run('runc', [...root, 'delete', '--force', name]);
      rmSync(copy.scratch, { recursive: true, force: true });
    }
  } finally {
    await control.close();
  }
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
