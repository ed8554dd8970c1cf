import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError, diskFault } from '#kernel/errors.ts';

/** Where the state lives: the flag, `FUMEHOOD_HOME`, else the XDG data folder. */
export function findHome(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  const named = flag ?? env.FUMEHOOD_HOME;
  if (named !== undefined && named !== '') return resolve(named);
  const data = env.XDG_DATA_HOME;
  return join(data?.startsWith('/') ? data : join(homedir(), '.local', 'share'), 'fumehood');
}

/** Runs what writes into a home; when that cannot be, says which home and why. */
export function inHome<T>(home: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOTDIR' && code !== 'ENOENT')
      throw diskFault(error, `in ${home}`) ?? error;
    throw new AppError('unavailable', `The home ${home} cannot be written (${code}).`, {
      details: {
        hint: 'Run it as who owns that folder (for sandboxes: as root), or name another with FUMEHOOD_HOME or --home.',
      },
      cause: error,
    });
  }
}

/** What a running control plane says of itself in its home. */
export type Control = { pid: number; url: string; version: string; startedAt: string };

/** Reads `control.json`; undefined when no control plane runs there. */
export function readControl(home: string): Control | undefined {
  const control = readJson(join(home, 'control.json')) as Partial<Control> | undefined;
  if (typeof control?.pid !== 'number' || typeof control.url !== 'string' || !isAlive(control.pid)) return undefined;
  return { pid: control.pid, url: control.url, version: control.version ?? '', startedAt: control.startedAt ?? '' };
}

/** Whether a process of this id runs; one that ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readText(`/proc/${pid}/stat`);
    return stat === undefined || !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Reads a small JSON file; undefined when it is not there or not JSON. */
export function readJson(path: string): unknown {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a small file; undefined when it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
