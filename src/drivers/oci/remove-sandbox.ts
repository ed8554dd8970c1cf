/** The end of a sandbox on this host, and what is left of it or of others. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftOver } from '../driver.ts';
import { processesOfCgroup, removeCgroup } from './cgroups.ts';
import type { Parts } from './driver-parts.ts';
import {
  type Claim,
  processesOfRange,
  processesWithWords,
  readClaim,
  remainsOf,
  sandboxesOf,
  unclaimed,
} from './inventory.ts';
import { type Paths, sandboxPaths } from './paths.ts';

const LETTING_GO_MS = 5000;

/** Removes all of a sandbox, whatever is known of it; gives what remains. */
export async function destroy(parts: Parts, sandboxId: string): Promise<LeftOver[]> {
  const claim = readClaim(sandboxPaths(parts.paths, sandboxId).claim);
  return destroyClaimed(parts, sandboxId, claim);
}

/** Removes in the order in which things hold each other, goes on past what fails, and then looks what is left. */
export async function destroyClaimed(parts: Parts, sandboxId: string, claim: Claim | undefined): Promise<LeftOver[]> {
  const { paths } = parts;
  const own = sandboxPaths(paths, sandboxId);
  const attempt = attemptOf(parts, sandboxId);
  await endContainer(parts, sandboxId, claim, attempt);
  if (claim !== undefined) {
    await attempt('network', () => parts.networks.release(claim.network));
    await attempt('workspace', () => parts.workspaces.release(claim.slot));
  }
  await attempt('socket', () => rmSync(own.socket, { force: true }));
  const remains = await settled(() => remainsOf(paths, sandboxId, claim).filter((one) => one.what !== own.bundle));
  if (remains.length > 0) return remains;
  // The claim goes last: as long as anything is left, it says where.
  await attempt('bundle', () => rmSync(own.bundle, { recursive: true, force: true }));
  if (claim !== undefined) parts.ranges.free(claim.firstId);
  return remainsOf(paths, sandboxId, claim);
}

type Attempt = (what: string, work: () => Promise<void> | void) => Promise<void>;

const attemptOf =
  (parts: Parts, sandboxId: string): Attempt =>
  async (what, work) => {
    try {
      await work();
    } catch (error) {
      parts.deps.log('warn', 'something of a sandbox could not be removed', { sandboxId, what, error });
    }
  };

/** Ends every process of a sandbox: through its runtime, and by force where that fails or hangs. */
export async function endContainer(
  parts: Parts,
  sandboxId: string,
  claim: Claim | undefined,
  attempt: Attempt = attemptOf(parts, sandboxId),
): Promise<void> {
  const { paths } = parts;
  const cgroup = `${paths.cgroupParent}/${sandboxId}`;
  await attempt('container', () => parts.runtime.remove(claim?.runtime ?? 'runc', sandboxId));
  await attempt('processes', () => killAll(() => processesOfCgroup(cgroup)));
  if (claim !== undefined) await attempt('processes', () => killAll(() => processesOfRange(claim.firstId)));
  // What a broken runtime keeps of a container that has no processes any more.
  await attempt('container', () => rmSync(join(paths.runtimeRoot, sandboxId), { recursive: true, force: true }));
  await attempt('cgroup', () => removeCgroup(cgroup));
}

/** What still is there once the kernel had time to let go: it frees loop devices, control groups and dead processes a moment after their last use. */
async function settled(look: () => LeftOver[]): Promise<LeftOver[]> {
  const deadline = performance.now() + LETTING_GO_MS;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 200)) {
    const found = look();
    if (found.length === 0 || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** A call of the runtime about this sandbox that nobody waits for any more: its helper was killed, or the control plane was. */
export const endRuntimeCalls = (paths: Paths, sandboxId: string): Promise<void> =>
  killAll(() => processesWithWords([paths.runtimeRoot, sandboxId]));

async function killAll(list: () => number[]): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const pids = list();
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended in the meantime.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Gives back a workspace that no sandbox had. */
export async function releaseWorkspace(parts: Parts, slot: string, firstId: number): Promise<void> {
  await parts.workspaces.release(slot);
  parts.ranges.free(firstId);
}

/** Looks for what the home has beyond the sandboxes to keep, and removes it when asked. */
export async function inventory(parts: Parts, options: { keep: string[]; remove: boolean }): Promise<LeftOver[]> {
  const { paths } = parts;
  const keep = new Set(options.keep);
  const found: LeftOver[] = [];
  const claims: Claim[] = [];
  for (const sandboxId of sandboxesOf(paths)) {
    const claim = readClaim(sandboxPaths(paths, sandboxId).claim);
    if (keep.has(sandboxId)) {
      if (claim !== undefined) claims.push(claim);
    } else {
      if (options.remove) await endRuntimeCalls(paths, sandboxId);
      found.push(
        ...(options.remove ? await destroyClaimed(parts, sandboxId, claim) : remainsOf(paths, sandboxId, claim)),
      );
    }
  }
  const ready = { networks: parts.networks.ready(), slots: parts.workspaces.ready().map((one) => one.slot) };
  const orphans = unclaimed(paths, claims, ready);
  if (options.remove) {
    for (const path of orphans.networks) await parts.networks.release(path);
    for (const slot of orphans.slots) await parts.workspaces.release(slot);
    const used = new Set([
      ...claims.map((claim) => claim.firstId),
      ...parts.workspaces.ready().map((one) => one.firstId),
    ]);
    for (const { firstId } of parts.ranges.owned(`${paths.homeId} `))
      if (!used.has(firstId)) parts.ranges.free(firstId);
  }
  const left = unclaimed(paths, claims, ready);
  return [
    ...found,
    ...left.networks.map((what): LeftOver => ({ kind: 'namespace', what })),
    ...left.slots.map((what): LeftOver => ({ kind: 'mount', what })),
  ];
}
