import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { type Control, inHome, isAlive, readControl, readJson } from './home.ts';

/** Written by a control plane that stopped while sandboxes went on. */
export const LEFT_FILE = 'control.left';

type Owner = { pid: number; startTicks: string };

/** When a process started, in clock ticks since boot: tells a process from a later one with the same id. */
function startTicksOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Whether a control plane holds this home's lock. */
export function lockOwner(home: string): number | undefined {
  const owner = readJson(join(home, 'control.lock')) as Owner | undefined;
  if (owner === undefined || !isAlive(owner.pid) || startTicksOf(owner.pid) !== owner.startTicks) return undefined;
  return owner.pid;
}

/** Takes a home for this process, so that no second control plane starts on it; throws `conflict` when one runs. The lock of a dead process is taken over. */
export function lockHome(home: string): { announce(control: Control): void; release(sandboxesLeft?: number): void } {
  const file = join(home, 'control.lock');
  inHome(home, () => {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    if (lockOwner(home) === undefined) rmSync(file, { force: true });
    writeLock(home, file);
  });
  return {
    announce: (control) =>
      inHome(home, () => writeFileSync(join(home, 'control.json'), JSON.stringify(control), { mode: 0o600 })),
    release: (sandboxesLeft) => {
      if (sandboxesLeft !== undefined) noteLeft(home, sandboxesLeft);
      rmSync(join(home, 'control.json'), { force: true });
      rmSync(file, { force: true });
    },
  };
}

function noteLeft(home: string, sandboxes: number): void {
  const file = join(home, LEFT_FILE);
  if (sandboxes === 0) rmSync(file, { force: true });
  else writeFileSync(file, JSON.stringify({ sandboxes }), { mode: 0o600 });
}

function writeLock(home: string, file: string): void {
  let handle: number;
  try {
    handle = openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const where = readControl(home)?.url;
    throw new AppError(
      'conflict',
      `A control plane runs in ${home} already${where === undefined ? '' : `, at ${where}`}.`,
      {
        details: { hint: 'See "fumehood status"; stop it with "fumehood down"; or use another FUMEHOOD_HOME.' },
      },
    );
  }
  try {
    writeSync(handle, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
}
