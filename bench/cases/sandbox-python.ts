import { startControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';
import { quantiles, type Row, timedInTurn } from '../measure.ts';
import { create, remove, serverOf } from './sandbox-api.ts';

const ROUNDS = 40;
const CELL = 'import numpy\nprint(numpy.arange(1000.0).reshape(10, 100).sum())\n';

/** A cell that uses numpy, in the warm interpreter, beside a Python that starts for it in the same sandbox. */
export async function measureWarmPython(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane();
  try {
    const server = serverOf(control);
    say('an environment with numpy');
    await control.json(['environment', 'create', 'bench', '--package', 'numpy']);
    const id = await create(server, { environment: 'bench', memory: '512m', disk: '64m' });
    say('cells');
    const [warm = [], cold = []] = await timedInTurn(ROUNDS, 3, [
      async () => void (await execIn(server, id, 'python', { source: CELL })),
      async () => void (await execIn(server, id, 'exec', { argv: ['python', '-c', CELL] })),
    ]);
    await remove(server, id);
    const { median, p99 } = quantiles(warm);
    const python = quantiles(cold).median;
    return [
      {
        what: 'sandbox: run-python of a cell that uses numpy',
        value: median,
        unit: 'ms',
        p99,
        against: [{ name: 'a python started for it', value: python, ratio: python / median }],
        reach: '<= 60 ms',
        reached: median <= 60,
      },
    ];
  } finally {
    await control.close();
  }
}
