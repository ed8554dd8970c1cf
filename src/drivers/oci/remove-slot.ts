/** Removal of all that a slot has on this host, and the proof of it. */
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { LeftOver } from '../driver.ts';
import { killCgroup, processesOfCgroup, removeCgroup, thaw } from './cgroups.ts';
import type { Claim } from './claims.ts';
import { isOfRange, remainsOf, runtimeCalls, slotsOf, unclaimedNetworks } from './inventory.ts';
import type { Parts } from './parts.ts';
import { type SlotPaths, slotPaths } from './paths.ts';

/** A runtime that starts another sandbox holds a copy of all mounts until it has its own root: some seconds on a machine with much to do. */
const LETTING_GO_MS = 15_000;
const DYING_MS = 5000;

/** Removes in the order in which things hold each other, goes on past what fails, and then looks what is left. */
export async function removeSlot(parts: Parts, slot: string): Promise<LeftOver[]> {
  const { paths } = parts;
  const own = slotPaths(paths, slot);
  const claim = parts.claims.of(slot);
  const attempt = attemptOf(parts, slot);
  await endContainer(parts, slot, claim);
  if (claim !== undefined) await attempt('network', () => parts.networks.release(claim.network));
  await attempt('workspace', () => parts.workspaces.release(slot));
  await attempt('socket', () => rm(own.socket, { force: true }));
  const remains = await settled(async () =>
    (await remainsOf(paths, slot, claim, parts.look)).filter((one) => one.what !== own.bundle),
  );
  if (remains.length > 0) return remains;
  if (claim?.sandboxId != null && claim.gpus !== undefined) parts.gpus.free(claim.sandboxId);
  // The claim goes last: as long as anything is left, it says where.
  await attempt('bundle', () => rm(own.bundle, { recursive: true, force: true }));
  parts.claims.forget(slot);
  freeRange(parts, slot, claim);
  return existsSync(own.bundle) ? [{ kind: 'file', what: own.bundle }] : [];
}

type Attempt = (what: string, work: () => Promise<void> | void) => Promise<void>;

const attemptOf =
  (parts: Parts, slot: string): Attempt =>
  async (what, work) => {
    try {
      await work();
    } catch (error) {
      parts.deps.log('warn', 'something of a sandbox could not be removed', { slot, what, error });
    }
  };

/** Ends every process of a slot: its first one, what the runtime knows, and by force what is left where that fails or hangs. */
export async function endContainer(parts: Parts, slot: string, claim: Claim | undefined): Promise<void> {
  const own = slotPaths(parts.paths, slot);
  const attempt = attemptOf(parts, slot);
  await attempt('first process', () => killFirst(own, claim?.firstId));
  await attempt('container', () => parts.runtime.remove(claim?.runtime ?? 'runc', slot));
  await attempt('processes', () => void killCgroup(own.cgroup));
  await attempt('processes', () => killAll(() => processesOfCgroup(own.cgroup)));
  // What a broken runtime keeps of a container that has no processes any more.
  for (const books of [own.container, own.gvisor])
    await attempt('container', () => rm(books, { recursive: true, force: true }));
  await attempt('cgroup', () => removeCgroup(own.cgroup));
}

/** Calls of the runtime about these slots that nobody waits for any more: its helper was killed, or the control plane was. */
export const endRuntimeCalls = (parts: Parts, ...slots: string[]): Promise<void> =>
  killAll(async () =>
    (await runtimeCalls(parts.paths)).filter(({ isAbout }) => slots.some(isAbout)).map(({ pid }) => pid),
  );

function freeRange(parts: Parts, slot: string, claim: Claim | undefined): void {
  const owner = `${parts.paths.homeId} ${slot}`;
  const firstIds = claim === undefined ? parts.ranges.owned(owner).map((one) => one.firstId) : [claim.firstId];
  for (const firstId of firstIds) parts.ranges.free(firstId);
}

/**
 * What still is there once the kernel had time to let go: it frees loop devices, control groups and dead processes a moment after their last use.
 * A process that lives on, wherever it has hidden, is ended.
 */
async function settled(look: () => Promise<LeftOver[]>): Promise<LeftOver[]> {
  const deadline = performance.now() + LETTING_GO_MS;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 200)) {
    const found = await look();
    if (found.length === 0 || performance.now() > deadline) return found;
    for (const { kind, what } of found) if (kind === 'process') kill(Number(what));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Ends the first process, and so all others, without the tenth of a second that a runtime waits before it looks whether they have gone. */
async function killFirst(own: SlotPaths, firstId: number | undefined): Promise<void> {
  thaw(own.cgroup);
  if (firstId === undefined || !existsSync(own.pidFile)) return;
  const pid = Number(readFileSync(own.pidFile, 'utf8').trim());
  const deadline = performance.now() + DYING_MS;
  while (isOfRange(pid, firstId) && performance.now() < deadline) {
    kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

async function killAll(list: () => Promise<number[]> | number[]): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const pids = await list();
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended in the meantime.
  }
}

/** What this host has of the home and of none of the sandboxes to keep, pools of a control plane that is gone among it. */
export async function takeInventory(
  parts: Parts,
  options: { keep: string[]; remove: boolean; ready: string[] },
): Promise<LeftOver[]> {
  const { paths } = parts;
  const keep = new Set(options.keep);
  const ready = new Set([...options.ready, ...parts.workspaces.ready().map((one) => one.slot)]);
  const found: LeftOver[] = [];
  const networks = parts.networks.ready();
  const kept = new Set<string>();
  const others = new Map<string, Claim | undefined>();
  for (const slot of slotsOf(paths)) {
    const claim = parts.claims.of(slot);
    if (ready.has(slot) || (claim?.sandboxId != null && keep.has(claim.sandboxId))) {
      kept.add(slot);
      if (claim !== undefined) networks.push(claim.network);
    } else others.set(slot, claim);
  }
  if (options.remove && others.size > 0) await endRuntimeCalls(parts, ...others.keys());
  for (const [slot, claim] of others)
    found.push(...(await (options.remove ? removeSlot(parts, slot) : remainsOf(paths, slot, claim, parts.look))));
  if (options.remove) {
    for (const path of unclaimedNetworks(paths, networks)) await parts.networks.release(path);
    for (const { owner, firstId } of parts.ranges.owned(`${paths.homeId} `))
      if (!kept.has(owner.slice(paths.homeId.length + 1))) parts.ranges.free(firstId);
  }
  found.push(...parts.gpus.inventory({ keep: claimants(parts, keep), remove: options.remove }));
  const left = unclaimedNetworks(paths, networks).map((what): LeftOver => ({ kind: 'namespace', what }));
  return [...found, ...left];
}

/** Sandboxes to keep, and those of which a slot is left: what they have is freed with it. */
function claimants(parts: Parts, keep: ReadonlySet<string>): Set<string> {
  const left = slotsOf(parts.paths).flatMap((slot) => parts.claims.of(slot)?.sandboxId ?? []);
  return new Set([...keep, ...left]);
}
