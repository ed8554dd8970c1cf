import { setTimeout as sleep } from 'node:timers/promises';
import { startControlPlane, type TestControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';
import { fillHome } from '../fill-entries.ts';
import { median, type Row } from '../measure.ts';
import { createMany, manySmall, type Server, serverOf } from './sandbox-api.ts';

const ROUNDS = 5;
const ENTRIES = 100_000;
const SANDBOXES = 200;
const SANDBOXES_FOR_MEMORY = 50;

/**
 * What the control plane holds in memory with some running sandboxes, and how long it takes from the command until it answers, with many that
 * went on without it and a long log.
 */
export async function measureControlPlane(say: (text: string) => void): Promise<Row[]> {
  const control = await startControlPlane(manySmall(0));
  try {
    say(`${SANDBOXES_FOR_MEMORY} sandboxes`);
    const ids = await createMany(serverOf(control), SANDBOXES_FOR_MEMORY);
    for (const id of ids) await execIn(serverOf(control), id, 'exec', { argv: ['/bin/true'] });
    const { memoryBytes } = await control.json<{ memoryBytes: number }>(['status']);
    say(`${SANDBOXES} sandboxes, ${ENTRIES} entries`);
    ids.push(...(await createMany(serverOf(control), SANDBOXES - ids.length)));
    await kill(control);
    await fillHome(control.home, ENTRIES);
    const starts: number[] = [];
    for (let round = -1; round < ROUNDS; round += 1) {
      const ms = await startOf(control);
      if (round >= 0) starts.push(ms);
      say(`start: ${Math.round(ms)} ms`);
      await allRun(control, ids);
      if (round < ROUNDS - 1) await kill(control);
    }
    return rowsOf(median(starts), memoryBytes / 1e6);
  } finally {
    await control.close();
  }
}

async function startOf(control: TestControlPlane): Promise<number> {
  const started = performance.now();
  await control.json(['up', '--detach']);
  return performance.now() - started;
}

/** Ends it as a power cut would: its sandboxes go on. */
async function kill(control: TestControlPlane): Promise<void> {
  const pid = await control.pid();
  process.kill(pid, 'SIGKILL');
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await sleep(10);
  }
}

/** All of them were taken over: the first, the last and one between work. */
async function allRun(control: TestControlPlane, ids: string[]): Promise<void> {
  const { url } = await control.json<{ url: string }>(['status']);
  const server: Server = { ...serverOf(control), url };
  for (const id of [ids[0], ids[ids.length >> 1], ids.at(-1)])
    await execIn(server, id ?? '', 'exec', { argv: ['/bin/true'] });
}

const rowsOf = (startMs: number, memoryMb: number): Row[] => [
  {
    what: `control plane: start with ${ENTRIES} entries and ${SANDBOXES} running sandboxes, command included`,
    value: startMs,
    unit: 'ms',
    against: [],
    reach: '<= 1,000 ms',
    reached: startMs <= 1000,
  },
  {
    what: `control plane: resident memory with ${SANDBOXES_FOR_MEMORY} running sandboxes`,
    value: memoryMb,
    unit: 'MB',
    against: [],
    reach: '<= 200 MB',
    reached: memoryMb <= 200,
  },
];
