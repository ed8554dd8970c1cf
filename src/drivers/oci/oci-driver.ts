/** The embedded driver: an OCI bundle in a sealed network namespace, run by runc or crun on this host. */
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { createSession, greetAgent, shutDownAgent } from '../agent/session.ts';
import { dialPath } from '../agent/wire.ts';
import type {
  DoorConnection,
  Driver,
  DriverDeps,
  DriverModule,
  Handle,
  LeftOver,
  Probe,
  StartOptions,
  Stats,
  Status,
  Vitals,
} from '../driver.ts';
import { createAgentCode } from './agent-code.ts';
import { configPath, extraTargets, ociConfig } from './bundle.ts';
import { isFrozen, limitSocketMemory, readCgroup, removeCgroup } from './cgroups.ts';
import { createHelper, type Helper } from './helper-client.ts';
import { createIdRanges, type IdRanges } from './id-ranges.ts';
import { assertRoot } from './image-root.ts';
import {
  type Claim,
  processesOfRange,
  readClaim,
  remainsOf,
  sandboxesOf,
  startTimeOf,
  unclaimed,
} from './inventory.ts';
import { createNetworks, type Network, type Networks } from './networks.ts';
import { type Paths, pathsOf, sandboxPaths } from './paths.ts';
import { probeHost } from './probe.ts';
import { makeEtc, makeRootSkeleton } from './root-skeleton.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { USER_LIMITS } from './user-limits.ts';
import { createWorkspaces, type Workspace, type Workspaces } from './workspaces.ts';

const PYTHON = '/usr/bin/python3';
const PROBE_FRESH_MS = 60_000;
const LETTING_GO_MS = 5000;

type Parts = {
  deps: DriverDeps;
  paths: Paths;
  helper: Helper;
  ranges: IdRanges;
  networks: Networks;
  workspaces: Workspaces;
  runtime: Runtime;
  agentCode: () => Promise<string>;
  probe: () => Promise<Probe>;
};

export const ociDriver: DriverModule = { id: 'oci', create: createOciDriver };

function createOciDriver(deps: DriverDeps): Driver {
  const paths = pathsOf(deps.stateDir);
  makeFolders(paths);
  let listener: (connection: DoorConnection) => void = ({ socket }) => socket.destroy();
  const helper = createHelper({
    pythonDir: deps.pythonDir,
    python: PYTHON,
    log: (message) => deps.log('warn', 'network helper', { message }),
  });
  const ranges = createIdRanges(paths.ranges);
  const networks = createNetworks({ folder: paths.networks, helper, serve: (connection) => listener(connection) });
  const workspaces = createWorkspaces({ paths, helper, ranges });
  const runtime = createRuntime({ helper, root: paths.runtimeRoot });
  let probed: { atMs: number; probe: Promise<Probe> } | undefined;
  const probe = (): Promise<Probe> => {
    if (probed === undefined || deps.nowMs() - probed.atMs > PROBE_FRESH_MS)
      probed = { atMs: deps.nowMs(), probe: probeHost(paths) };
    return probed.probe;
  };
  const agentCode = createAgentCode({ pythonDir: deps.pythonDir, python: PYTHON, folder: paths.code, helper });
  const parts: Parts = { deps, paths, helper, ranges, networks, workspaces, runtime, agentCode, probe };

  return {
    id: 'oci',
    probe,
    vitals: () => vitals(parts),
    start: (options) => start(parts, options),
    recover: (handle) => recover(parts, handle),
    inspect: async (handle) => inspect(parts, handle),
    stats: async (handle) => stats(parts, handle),
    session: async (handle) => createSession(dialPath(dataOf(handle).socket)),
    pause: (handle) => runtime.pause(dataOf(handle).claim.runtime, handle.sandboxId),
    resume: (handle) => runtime.resume(dataOf(handle).claim.runtime, handle.sandboxId),
    stop: (handle, options) => stop(parts, handle, options?.graceMs ?? 2000),
    destroy: (handle) => destroy(parts, handle.sandboxId),
    inventory: (options) => inventory(parts, options),
    onConnection: (serve) => {
      listener = serve;
    },
    prepare: async (options) => {
      const template = options.warm[0]?.template;
      if (template === undefined) return;
      await networks.fill(options.networks, template.doors);
      await workspaces.fill(options.workspaces, template.diskBytes);
    },
    close: async () => {
      await Promise.all(networks.ready().map((path) => networks.release(path)));
      await Promise.all(workspaces.ready().map((one) => releaseWorkspace(parts, one.slot, one.firstId)));
      await networks.close();
      helper.close();
    },
  };
}

async function vitals({ helper, networks, workspaces }: Parts): Promise<Vitals> {
  const helpers = await helper.ask('ping', {}).then(
    () => true,
    () => false,
  );
  return { pools: { networks: networks.ready().length, workspaces: workspaces.ready().length }, helpers };
}

function makeFolders(paths: Paths): void {
  mkdirSync('/run/fumehood', { recursive: true, mode: 0o711 });
  mkdirSync(paths.runDir, { recursive: true, mode: 0o711 });
  for (const folder of [paths.runtimeRoot, paths.networks, paths.sockets, paths.mounts])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync(paths.sandboxes, { recursive: true, mode: 0o711 });
  mkdirSync(paths.images, { recursive: true, mode: 0o700 });
}

type Data = { claim: Claim; socket: string; pid: number; startTime: string };

const dataOf = (handle: Handle): Data => handle.data as Data;

async function start(parts: Parts, options: StartOptions): Promise<Handle> {
  await refuse(parts, options);
  const { paths } = parts;
  const own = sandboxPaths(paths, options.sandboxId);
  const known = readClaim(own.claim);
  if (known !== undefined && existsSync(own.pidFile)) {
    const handle = handleOf(parts, options.sandboxId, known);
    if (inspect(parts, handle).state === 'running') return handle;
    await destroyClaimed(parts, options.sandboxId, known);
  }
  const { network, workspace } = await takeBoth(parts, options);
  options.onPhase?.('claim');
  const claim: Claim = {
    firstId: workspace.firstId,
    network: network.path,
    slot: workspace.slot,
    runtime: options.runtime,
    doors: options.doors,
  };
  try {
    mkdirSync(own.bundle, { mode: 0o711 });
    writeFileSync(own.claim, JSON.stringify(claim), { mode: 0o600 });
    makeRootSkeleton(own.rootfs, extraTargets(options), options.image);
    makeEtc(own.etc, options.hostname, options.image);
    const config = ociConfig({
      start: options,
      rootfs: own.rootfs,
      etc: own.etc,
      firstId: claim.firstId,
      networkPath: claim.network,
      workspace: workspace.path,
      agentDir: await parts.agentCode(),
      cgroupsPath: `/${paths.cgroupParent}/${options.sandboxId}`,
    });
    writeFileSync(configPath(own.bundle), JSON.stringify(config), { mode: 0o600 });
    options.onPhase?.('bundle');
    await parts.runtime.run({
      runtime: options.runtime,
      sandboxId: options.sandboxId,
      bundle: own.bundle,
      socket: own.socket,
      pidFile: own.pidFile,
      log: own.log,
    });
    options.onPhase?.('runtime');
    limitSocketMemory(`${paths.cgroupParent}/${options.sandboxId}`, options.memoryBytes);
    const pid = parts.runtime.pidOf(own.pidFile);
    await Promise.all([greetAgent(dialPath(own.socket)), parts.helper.ask('limit', { pid, limits: USER_LIMITS })]);
    options.onPhase?.('agent');
    return handleOf(parts, options.sandboxId, claim);
  } catch (error) {
    await destroyClaimed(parts, options.sandboxId, claim);
    throw error;
  }
}

/** Refuses what this driver or this host cannot give: never a sandbox with less. */
async function refuse(parts: Parts, options: StartOptions): Promise<void> {
  const missing = (what: string, message: string): AppError =>
    new AppError('capability_missing', message, { details: { missing: what } });
  if (options.gpus > 0) throw missing('gpu', 'This driver cannot hand out GPUs.');
  const { runtimes } = await parts.probe();
  if (!runtimes.includes(options.runtime))
    throw missing(options.runtime, `The runtime "${options.runtime}" cannot be used on this host.`);
  if (options.image !== undefined) assertRoot(options.image);
}

/** A namespace and a workspace, or neither. */
async function takeBoth(parts: Parts, options: StartOptions): Promise<{ network: Network; workspace: Workspace }> {
  const [network, workspace] = await Promise.allSettled([
    parts.networks.claim(options.sandboxId, options.doors),
    parts.workspaces.take(options.sandboxId, options.diskBytes),
  ]);
  if (network.status === 'fulfilled' && workspace.status === 'fulfilled')
    return { network: network.value, workspace: workspace.value };
  if (network.status === 'fulfilled') await parts.networks.release(network.value.path);
  if (workspace.status === 'fulfilled') await releaseWorkspace(parts, workspace.value.slot, workspace.value.firstId);
  throw network.status === 'rejected' ? network.reason : (workspace as PromiseRejectedResult).reason;
}

function handleOf(parts: Parts, sandboxId: string, claim: Claim): Handle {
  const own = sandboxPaths(parts.paths, sandboxId);
  const pid = parts.runtime.pidOf(own.pidFile);
  const data: Data = { claim, socket: own.socket, pid, startTime: startTimeOf(pid) ?? '' };
  return { driver: 'oci', version: 1, sandboxId, data };
}

async function recover(parts: Parts, handle: Handle): Promise<void> {
  const { claim, socket } = dataOf(handle);
  const { state } = inspect(parts, handle);
  if (state !== 'running' && state !== 'paused')
    throw new AppError('unavailable', `Sandbox ${handle.sandboxId} does not run any more.`);
  await parts.networks.reopen(handle.sandboxId, claim.network, claim.doors);
  await greetAgent(dialPath(socket));
}

function inspect(parts: Parts, handle: Handle): Status {
  const { pid, startTime } = dataOf(handle);
  const now = startTimeOf(pid);
  if (now === undefined || now !== startTime) return { state: 'gone', detail: 'its first process has ended' };
  const paused = isFrozen(`${parts.paths.cgroupParent}/${handle.sandboxId}`);
  return { state: paused ? 'paused' : 'running' };
}

function stats(parts: Parts, handle: Handle): Stats {
  const { claim } = dataOf(handle);
  const readings = readCgroup(`${parts.paths.cgroupParent}/${handle.sandboxId}`);
  const disk = statfsSync(join(parts.paths.mounts, claim.slot));
  return { ...readings, diskBytes: (disk.blocks - disk.bfree) * disk.bsize, diskLimitBytes: disk.blocks * disk.bsize };
}

async function stop(parts: Parts, handle: Handle, graceMs: number): Promise<void> {
  const { claim, socket } = dataOf(handle);
  if (inspect(parts, handle).state !== 'gone') {
    await shutDownAgent(dialPath(socket), graceMs).catch(() => undefined);
    const deadline = performance.now() + graceMs + 1000;
    while (inspect(parts, handle).state !== 'gone' && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await parts.runtime.remove(claim.runtime, handle.sandboxId);
}

async function destroy(parts: Parts, sandboxId: string): Promise<LeftOver[]> {
  const claim = readClaim(sandboxPaths(parts.paths, sandboxId).claim);
  return destroyClaimed(parts, sandboxId, claim);
}

/** Removes in the order in which things hold each other, goes on past what fails, and then looks what is left. */
async function destroyClaimed(parts: Parts, sandboxId: string, claim: Claim | undefined): Promise<LeftOver[]> {
  const { paths } = parts;
  const own = sandboxPaths(paths, sandboxId);
  const attempt = async (what: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work();
    } catch (error) {
      parts.deps.log('warn', 'something of a sandbox could not be removed', { sandboxId, what, error });
    }
  };
  await attempt('container', () => parts.runtime.remove(claim?.runtime ?? 'runc', sandboxId));
  if (claim !== undefined) {
    await attempt('processes', () => killRange(claim.firstId));
    await attempt('network', () => parts.networks.release(claim.network));
    await attempt('workspace', () => parts.workspaces.release(claim.slot));
  }
  await attempt('cgroup', () => removeCgroup(`${paths.cgroupParent}/${sandboxId}`));
  await attempt('socket', () => rmSync(own.socket, { force: true }));
  const remains = await settled(() => remainsOf(paths, sandboxId, claim).filter((one) => one.what !== own.bundle));
  if (remains.length > 0) return remains;
  // The claim goes last: as long as anything is left, it says where.
  await attempt('bundle', () => rmSync(own.bundle, { recursive: true, force: true }));
  if (claim !== undefined) parts.ranges.free(claim.firstId);
  return remainsOf(paths, sandboxId, claim);
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

async function killRange(firstId: number): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const pids = processesOfRange(firstId);
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

async function releaseWorkspace(parts: Parts, slot: string, firstId: number): Promise<void> {
  await parts.workspaces.release(slot);
  parts.ranges.free(firstId);
}

async function inventory(parts: Parts, options: { keep: string[]; remove: boolean }): Promise<LeftOver[]> {
  const { paths } = parts;
  const keep = new Set(options.keep);
  const found: LeftOver[] = [];
  const claims: Claim[] = [];
  for (const sandboxId of sandboxesOf(paths)) {
    const claim = readClaim(sandboxPaths(paths, sandboxId).claim);
    if (keep.has(sandboxId)) {
      if (claim !== undefined) claims.push(claim);
    } else {
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
