/** Homes of this host that were removed while something of theirs was left: mounts, processes, ranges of ids, GPUs. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { DriverModule } from '#src/drivers/driver.ts';
import { removeCgroup } from '#src/drivers/oci/cgroups.ts';
import { createGpuClaims } from '#src/drivers/oci/gpu-claims.ts';
import { HOMES, pathsOf } from '#src/drivers/oci/paths.ts';

export type DeadHome = { id: string; stateDir: string };

/** Homes that a driver worked for, whose folder is gone, and of which more is left than empty folders. */
export function deadHomes(folder: string = HOMES): DeadHome[] {
  if (!existsSync(folder)) return [];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  return readdirSync(folder)
    .filter((name) => /^[0-9a-f]{12}$/.test(name))
    .map((id) => ({ id, stateDir: readFileSync(join(folder, id), 'utf8') }))
    .filter(({ id, stateDir }) => {
      const { homeId, runDir, gpus } = pathsOf(stateDir);
      if (homeId !== id || existsSync(dirname(stateDir))) return false;
      const hasGpus = createGpuClaims(gpus).owned(`${homeId} `).length > 0;
      return hasGpus || mounts.includes(`${runDir}/`) || holdsFiles(runDir);
    });
}

const holdsFiles = (folder: string): boolean =>
  existsSync(folder) && readdirSync(folder, { recursive: true, withFileTypes: true }).some((one) => !one.isDirectory());

/** Ends and removes all that a dead home left, by the driver's own inventory. Throws when something stays. */
export async function bury({ id, stateDir }: DeadHome, module: DriverModule, pythonDir: string): Promise<void> {
  const home = dirname(stateDir);
  const driver = module.create({ stateDir, pythonDir, log: () => undefined, nowMs: () => Date.now(), config: {} });
  try {
    await driver.inventory({ keep: [], remove: true });
    const left = await driver.inventory({ keep: [], remove: false });
    if (left.length > 0)
      throw new AppError(
        'conflict',
        `Of the home ${home} something stays: ${left.map((one) => `${one.kind} ${one.what}`).join(', ')}.`,
      );
  } finally {
    await driver.close();
    rmSync(home, { recursive: true, force: true });
  }
  const { runDir, cgroupParent } = pathsOf(stateDir);
  rmSync(runDir, { recursive: true, force: true });
  removeCgroup(cgroupParent);
  rmSync(join(HOMES, id), { force: true });
}
