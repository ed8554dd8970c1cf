import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { openDatabase } from '#src/database/open-database.ts';
import { startControlPlane, type TestControlPlane } from '../../test/control-plane.ts';
import { fillHome } from '../fill-entries.ts';
import { fillRuns } from '../fill-runs.ts';
import type { LoopDelays } from '../loop-watch.ts';
import { type Row, round } from '../measure.ts';
import { fillLineage } from '../stalls/fill-lineage.ts';
import { type StallHome, stallLoads } from '../stalls/loads.ts';
import { createMany, manySmall, serverOf } from './sandbox-api.ts';

const ENTRIES = 100_000;
const RUNS = 100_000;
/** FUMEHOOD_BENCH_STALL_SANDBOXES=50 is the quick mode. */
const SANDBOXES = Number(process.env.FUMEHOOD_BENCH_STALL_SANDBOXES ?? 200);
/** A regular expression chooses among the loads. */
const CHOSEN = new RegExp(process.env.FUMEHOOD_BENCH_STALL_LOADS ?? '');
const MOST_MS = 20;

/**
 * The longest delay of the control plane's main event loop under each kind of load, one after the other, with many sandboxes, runs and entries there.
 * Beside the delay stands the most processor time that one turn of the loop took: on a machine with other work, the rest was waiting for a processor.
 */
export async function measureStalls(say: (text: string) => void): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const socket = join(folder, 'loop');
  const control = await startControlPlane({
    ...manySmall(0),
    FUMEHOOD_BENCH_LOOP: socket,
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, '../loop-watch.ts'))}`,
  });
  const rows: Row[] = [];
  const note = async (what: string): Promise<void> => {
    const seen = await delaysAt(socket);
    say(`${what}: ${round(seen.longestMs)} ms, computing ${round(seen.computedMs)} ms`);
    for (const line of seen.stacks) say(`  ${line}`);
    rows.push(rowOf(what, seen));
  };
  try {
    await delaysAt(socket);
    await createMany(serverOf(control), SANDBOXES);
    await note(`${SANDBOXES} sandboxes created, 4 at a time`);
    const home = await fillAndRestart(control, say);
    await note(`start, with ${SANDBOXES} running sandboxes and ${ENTRIES} entries`);
    for (const { what, prepare, run } of stallLoads(home, folder).filter((load) => CHOSEN.test(load.what))) {
      await prepare?.();
      await delaysAt(socket);
      await run();
      await note(what);
    }
    return rows;
  } finally {
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts many runs, entries and a wide lineage straight into the store, while no control plane runs. */
async function fillAndRestart(control: TestControlPlane, say: (text: string) => void): Promise<StallHome> {
  const { experiment_id: experimentId } = (await (
    await fetch(`${control.doors.mlflow}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serverOf(control).token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'many' }),
    })
  ).json()) as { experiment_id: string };
  const pid = await control.pid();
  process.kill(pid, 'SIGKILL');
  say(`filling in ${RUNS} runs and ${ENTRIES} entries`);
  await fillHome(control.home, ENTRIES);
  const database = await openDatabase(`sqlite:${join(control.home, 'state.db')}`);
  let root: string;
  try {
    await fillRuns(database, { experimentId, from: 0, to: RUNS });
    root = await database.transaction(fillLineage);
  } finally {
    await database.close();
  }
  await control.json(['up', '--detach']);
  const { url, doors } = await control.json<{ url: string; doors: Record<string, string> }>(['status']);
  const officer = await control.user('olga', 'officer');
  return { ...serverOf(control), officer, url, doors, experimentId, root, run: control.run };
}

async function delaysAt(socket: string): Promise<LoopDelays> {
  const connection = connect(socket);
  await once(connection, 'connect');
  return JSON.parse(await text(connection)) as LoopDelays;
}

function rowOf(what: string, { longestMs, p99Ms, computedMs }: LoopDelays): Row {
  // Before it answers, nobody waits for it.
  const isStart = what.startsWith('start');
  return {
    what: `longest delay of the event loop: ${what} (at most ${round(computedMs)} ms of computing in a turn)`,
    value: longestMs,
    unit: 'ms',
    p99: p99Ms,
    against: [],
    reach: isStart ? 'for information' : `<= ${MOST_MS} ms`,
    reached: isStart || longestMs <= MOST_MS,
  };
}
