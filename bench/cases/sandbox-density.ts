import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupFolders } from '#src/drivers/oci/cgroups.ts';
import { pathsOf, slotPaths } from '#src/drivers/oci/paths.ts';
import { startControlPlane, type TestControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';
import { median, type Row, timed } from '../measure.ts';
import { create, createMany, firstOutput, manySmall, remove, type Server, serverOf } from './sandbox-api.ts';

const USUAL_COUNT = 100;
const KIB = 1024;
const MB = 1_000_000;
const REACH_MB = 12;
const FLAT = 1.5;
const CREATIONS = 20;
const COMMANDS = 60;

/**
 * So many idle sandboxes (`FUMEHOOD_BENCH_IDLE`) at once: what one takes (its processes, and the growth of ours and of the kernel's own memory), and
 * what another one and a command cost beside them.
 */
export async function measureDensity(say: (text: string) => void): Promise<Row[]> {
  const count = Number(process.env.FUMEHOOD_BENCH_IDLE ?? USUAL_COUNT);
  const control = await startControlPlane(manySmall(0));
  try {
    const server = serverOf(control);
    const pid = await control.pid();
    const first = await create(server);
    const alone = await costs(server, first);
    const before = ownBytes(pid) + kernelBytes();
    say(`${count} idle sandboxes`);
    const ids = await createMany(server, count);
    // All of them work: the first, the last and one between.
    for (const id of [ids[0], ids[count >> 1], ids[count - 1]])
      await execIn(server, id ?? '', 'exec', { argv: ['/bin/true'] });
    const grown = ownBytes(pid) + kernelBytes() - before;
    const each = (sandboxBytes(control) + grown) / count / MB;
    const among = await costs(server, first);
    return [
      slopeRow(`creation to first output among ${count} others, beside none`, alone.creation, among.creation),
      slopeRow(`a command among ${count} others, beside none`, alone.command, among.command),
      {
        what: `sandbox: memory of one of ${count} idle ones, all of it`,
        value: each,
        unit: 'MB',
        against: [],
        reach: `<= ${REACH_MB} MB`,
        reached: each <= REACH_MB,
      },
    ];
  } finally {
    await control.close();
  }
}

async function costs(server: Server, id: string): Promise<{ creation: number; command: number }> {
  const made: string[] = [];
  const creation = await timed(CREATIONS, 2, async () => void made.push(await firstOutput(server)));
  for (const one of made) await remove(server, one);
  const command = await timed(
    COMMANDS,
    5,
    async () => void (await execIn(server, id, 'exec', { argv: ['/bin/true'] })),
  );
  return { creation: median(creation), command: median(command) };
}

const slopeRow = (what: string, alone: number, among: number): Row => ({
  what: `sandbox: ${what}`,
  value: among,
  unit: 'ms',
  against: [{ name: 'beside none', value: alone, ratio: alone / among }],
  reach: `<= ${FLAT}x`,
  reached: among <= FLAT * alone,
});

/** The share of memory that is a process's own. */
function shareOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * KIB;
  } catch {
    return 0;
  }
}

/** The control plane and its helper. */
const ownBytes = (pid: number): number =>
  [pid, ...numbersIn(`/proc/${pid}/task/${pid}/children`)].reduce((sum, one) => sum + shareOf(one), 0);

/** Processes of all sandboxes. */
function sandboxBytes(control: TestControlPlane): number {
  const paths = pathsOf(join(control.home, 'driver'));
  return readdirSync(paths.sandboxes).reduce((sum, slot) => {
    const folders = cgroupFolders(slotPaths(paths, slot).cgroup);
    const pids = new Set(folders.flatMap((folder) => numbersIn(join(folder, 'cgroup.procs'))));
    return sum + [...pids].reduce((bytes, pid) => bytes + shareOf(pid), 0);
  }, 0);
}

function numbersIn(path: string): number[] {
  try {
    return readFileSync(path, 'utf8').split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** What the kernel holds for itself and cannot give back. */
function kernelBytes(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const kinds = ['SUnreclaim', 'KernelStack', 'PageTables', 'Percpu', 'VmallocUsed'];
  return kinds.reduce(
    (sum, kind) => sum + Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * KIB,
    0,
  );
}
