/** The embedded driver: an OCI bundle in a sealed network namespace, run by runc or crun on this host. */
import { existsSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
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
  Probe,
  StartOptions,
  Stats,
  Status,
  Vitals,
} from '../driver.ts';
import { createAgentCode } from './agent-code.ts';
import { configPath, extraTargets, ociConfig } from './bundle.ts';
import { isFrozen, isInCgroup, limitSocketMemory, readCgroup } from './cgroups.ts';
import type { Parts } from './driver-parts.ts';
import { createHelper } from './helper-client.ts';
import { createIdRanges } from './id-ranges.ts';
import { assertRoot } from './image-root.ts';
import { type Claim, readClaim, startTimeOf } from './inventory.ts';
import { createNetworks, type Network } from './networks.ts';
import { type Paths, pathsOf, sandboxPaths } from './paths.ts';
import { probeHost } from './probe.ts';
import {
  destroy,
  destroyClaimed,
  endContainer,
  endRuntimeCalls,
  inventory,
  releaseWorkspace,
} from './remove-sandbox.ts';
import { makeEtc, makeRootSkeleton } from './root-skeleton.ts';
import { createRuntime } from './runtime.ts';
import { USER_LIMITS } from './user-limits.ts';
import { createWorkspaces, type Workspace } from './workspaces.ts';

const PYTHON = '/usr/bin/python3';
const PROBE_FRESH_MS = 60_000;
/** What is missing may be mended at any moment. */
const UNUSABLE_FRESH_MS = 3000;
const START_TIMEOUT_MS = 60_000;
/** The helper is given up only after the calls that it makes itself were. */
const HELPER_LEAD_MS = 10_000;

export const ociDriver: DriverModule = { id: 'oci', create: createOciDriver };

function createOciDriver(deps: DriverDeps): Driver {
  const paths = pathsOf(deps.stateDir);
  makeFolders(paths);
  let listener: (connection: DoorConnection) => void = ({ socket }) => socket.destroy();
  const timeoutMs = deps.startTimeoutMs ?? START_TIMEOUT_MS;
  const helper = createHelper({
    silenceMs: timeoutMs + HELPER_LEAD_MS,
    pythonDir: deps.pythonDir,
    python: PYTHON,
    log: (message) => deps.log('warn', 'network helper', { message }),
  });
  const ranges = createIdRanges(paths.ranges);
  const networks = createNetworks({ folder: paths.networks, helper, serve: (connection) => listener(connection) });
  const workspaces = createWorkspaces({ paths, helper, ranges });
  const runtime = createRuntime({ helper, root: paths.runtimeRoot, timeoutMs });
  const probe = freshProbe(() => probeHost(paths));
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

/** Looks again once what was found has become old. */
function freshProbe(look: () => Promise<Probe>): () => Promise<Probe> {
  let until = Number.NEGATIVE_INFINITY;
  let found: Promise<Probe> | undefined;
  return () => {
    if (found !== undefined && performance.now() < until) return found;
    until = Number.POSITIVE_INFINITY;
    found = look().finally(() => {
      until = performance.now() + UNUSABLE_FRESH_MS;
    });
    found.then(
      ({ usable }) => {
        if (usable) until = performance.now() + PROBE_FRESH_MS;
      },
      () => undefined,
    );
    return found;
  };
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
    await endRuntimeCalls(paths, options.sandboxId);
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
  const { claim, socket, pid } = dataOf(handle);
  const { state, detail } = inspect(parts, handle);
  if (state !== 'running' && state !== 'paused')
    throw new AppError('unavailable', `Sandbox ${handle.sandboxId} does not run any more: ${detail ?? state}.`);
  await parts.networks.reopen(handle.sandboxId, { path: claim.network, pid }, claim.doors);
  await greetAgent(dialPath(socket));
}

function inspect(parts: Parts, handle: Handle): Status {
  const { pid, startTime, socket } = dataOf(handle);
  const cgroup = `${parts.paths.cgroupParent}/${handle.sandboxId}`;
  const now = startTimeOf(pid);
  if (now === undefined || now !== startTime) return { state: 'gone', detail: 'its first process has ended' };
  // What runs without its limits, or where nobody reaches it, is no sandbox any more.
  if (!isInCgroup(pid, cgroup)) return { state: 'gone', detail: 'its control group was removed' };
  if (!existsSync(socket)) return { state: 'gone', detail: "its agent's socket was removed" };
  const paused = isFrozen(cgroup);
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
  await endContainer(parts, handle.sandboxId, claim);
}
