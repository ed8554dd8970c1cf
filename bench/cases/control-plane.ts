import { startControlPlane } from '../../test/control-plane.ts';
import { median, type Row } from '../measure.ts';

const ROUNDS = 5;

/** From the command to a control plane that answers, and what it holds in memory. */
export async function measureControlPlane(say: (text: string) => void): Promise<Row[]> {
  const starts: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const control = await startControlPlane();
    try {
      await control.run(['down', '--yes']);
      const started = performance.now();
      await control.json(['up', '--detach']);
      starts.push(performance.now() - started);
      const { memoryBytes } = await control.json<{ memoryBytes: number }>(['status']);
      memory.push(memoryBytes / 1e6);
      say(`start ${round + 1}: ${Math.round(starts.at(-1) ?? 0)} ms`);
    } finally {
      await control.close();
    }
  }
  const start = median(starts);
  const held = median(memory);
  return [
    {
      what: 'control plane: start, command included',
      value: start,
      unit: 'ms',
      against: [],
      reach: '<= 1,000 ms',
      reached: start <= 1000,
    },
    {
      what: 'control plane: resident memory',
      value: held,
      unit: 'MB',
      against: [],
      reach: '<= 200 MB',
      reached: held <= 200,
    },
  ];
}
