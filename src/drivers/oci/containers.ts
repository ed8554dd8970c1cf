/** Containers: made with all their walls, and then, at once or later, given to a sandbox. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { claimAgent, greetAgent } from '../agent/session.ts';
import { dialPath } from '../agent/wire.ts';
import type { Handle, StartOptions, Status, Template } from '../driver.ts';
import { configPath, extraTargets, ociConfig } from './bundle.ts';
import { endFirst, freeze, isFrozen, isInCgroup, limitSocketMemory, processesOfCgroup, thaw } from './cgroups.ts';
import type { Claim } from './claims.ts';
import { type GpuGrant, gpuFiles } from './gpu-grant.ts';
import { gvisorSocket, limitProgram, makeGvisorFolders, RUNSC, takeSocket } from './gvisor.ts';
import { isEnding, startTimeOf } from './inventory.ts';
import type { Network } from './networks.ts';
import type { Parts } from './parts.ts';
import { type SlotPaths, slotPaths } from './paths.ts';
import { endRuntimeCalls, removeSlot } from './remove-slot.ts';
import { makeEtc, makeRootSkeleton, SANDBOX_UID, writeNames } from './root-skeleton.ts';
import { USER_LIMITS } from './user-limits.ts';
import { NO_NAME } from './usual-root.ts';
import type { Workspace } from './workspaces.ts';

export type Container = { claim: Claim; socket: string; pid: number; startTime: string };

/** Who a container is made for; `undefined`: nobody yet. */
export type Tenant = Required<Pick<StartOptions, 'sandboxId' | 'hostname' | 'ownEnv' | 'onPhase'>> & {
  onRunning: (container: Container) => void;
};

/** Makes a container whose agent answers. Throws, and then nothing of it is left. `granted`: GPUs that were taken for its tenant. */
export async function makeContainer(
  parts: Parts,
  template: Template,
  tenant?: Tenant,
  granted?: GpuGrant,
): Promise<Container> {
  const { paths } = parts;
  const [code, { network, workspace }] = await Promise.all([parts.agentCode(), takeBoth(parts, template)]);
  tenant?.onPhase('claim');
  const { slot, firstId } = workspace;
  const own = slotPaths(paths, slot);
  const claim: Claim = {
    slot,
    sandboxId: tenant?.sandboxId ?? null,
    firstId,
    network: network.path,
    runtime: template.runtime,
    doors: template.doors,
    ...(granted === undefined ? {} : { gpus: granted.gpus }),
  };
  try {
    parts.claims.write(claim);
    if (tenant !== undefined) {
      parts.networks.assign(network.path, tenant.sandboxId);
      writeNames(own.etc, tenant.hostname);
    }
    if (template.runtime === RUNSC) makeGvisorFolders(workspace.path, firstId);
    completeRoot(own, template, tenant?.hostname ?? NO_NAME);
    if (granted !== undefined) makeFilePlaces(own.rootfs, gpuFiles(granted));
    const config = ociConfig({
      start: { ...template, hostname: tenant?.hostname ?? NO_NAME, ownEnv: tenant?.ownEnv ?? {} },
      rootfs: own.rootfs,
      etc: own.etc,
      firstId,
      networkPath: claim.network,
      workspace: workspace.path,
      agentDir: code,
      cgroupsPath: `/${own.cgroup}`,
      granted,
    });
    writeFileSync(configPath(own.bundle), JSON.stringify(config), { mode: 0o600 });
    tenant?.onPhase('bundle');
    await parts.runtime.run({ ...own, runtime: template.runtime, slot });
    tenant?.onPhase('runtime');
    limitSocketMemory(own.cgroup, template.memoryBytes);
    // What the GPUs' driver takes of the host's memory is counted for nobody.
    if (granted !== undefined) await endFirst(own.cgroup);
    const container = containerOf(parts, claim);
    if (container === undefined) throw new Error('the runtime wrote no process id');
    const limited = parts.helper.ask('limit', { pid: container.pid, limits: USER_LIMITS });
    // gVisor has a limit more, which it takes when its agent is there.
    if (template.runtime !== RUNSC) void limited.then(() => tenant?.onRunning(container)).catch(() => undefined);
    await Promise.all([openAgent(parts, template, container), limited]);
    tenant?.onPhase('agent');
    return container;
  } catch (error) {
    await endRuntimeCalls(parts, slot);
    await removeSlot(parts, slot).catch((left) =>
      parts.deps.log('warn', 'what did not start could not be removed', { slot, error: left }),
    );
    throw error;
  }
}

/**
 * Makes a container that was made ahead a sandbox's: identity to its doors first, then its name, and only then does it run again and get
 * its own variables. Throws when it cannot; it is then nobody's any more and has to be removed.
 */
export async function claimContainer(parts: Parts, container: Container, tenant: Tenant): Promise<Container> {
  const own = slotPaths(parts.paths, container.claim.slot);
  const claim: Claim = { ...container.claim, sandboxId: tenant.sandboxId };
  parts.claims.write(claim);
  writeNames(own.etc, tenant.hostname);
  parts.networks.assign(claim.network, tenant.sandboxId);
  const uid = claim.firstId + SANDBOX_UID;
  await parts.helper.ask('hostname', { pid: container.pid, uid, hostname: tenant.hostname });
  thaw(own.cgroup);
  await claimAgent(dialPath(own.socket), tenant.ownEnv);
  tenant.onPhase('claim');
  return { ...container, claim };
}

/** Waits until the agent answers; under gVisor its socket is made inside, and the sandbox's own kernel gets its limit. */
async function openAgent(parts: Parts, template: Template, container: Container): Promise<void> {
  const { slot } = container.claim;
  if (template.runtime === RUNSC) {
    const own = slotPaths(parts.paths, slot);
    await takeSocket(own.workspace, () => processesOfCgroup(own.cgroup), parts.timeoutMs);
    const python = template.image?.python ?? '/usr/bin/python3';
    await parts.runtime.runAsRoot({ slot, python, program: limitProgram(template.pids), log: own.log });
  }
  await greetAgent(dialPath(container.socket));
}

/** Stands still as a whole; gVisor's own pause would stop only what is in its kernel. */
export async function pauseContainer(parts: Parts, { claim }: Container): Promise<void> {
  if (claim.runtime === RUNSC) await freeze(slotPaths(parts.paths, claim.slot).cgroup);
  else await parts.runtime.pause(claim.runtime, claim.slot);
}

export async function resumeContainer(parts: Parts, { claim }: Container): Promise<void> {
  if (claim.runtime === RUNSC) thaw(slotPaths(parts.paths, claim.slot).cgroup);
  else await parts.runtime.resume(claim.runtime, claim.slot);
}

/** What a root has beyond the usual: places to mount on, or all of it when it is an image's. */
function completeRoot(own: SlotPaths, template: Template, hostname: string): void {
  if (template.image === undefined) {
    for (const target of extraTargets(template)) mkdirSync(join(own.rootfs, target), { recursive: true, mode: 0o755 });
    return;
  }
  for (const folder of [own.rootfs, own.etc]) rmSync(folder, { recursive: true });
  makeRootSkeleton(own.rootfs, extraTargets(template), template.image);
  makeEtc(own.etc, hostname, template.image);
}

/** Empty files to mount others on. */
function makeFilePlaces(rootfs: string, files: readonly { target: string }[]): void {
  for (const { target } of files) {
    mkdirSync(join(rootfs, dirname(target)), { recursive: true, mode: 0o755 });
    writeFileSync(join(rootfs, target), '', { mode: 0o644 });
  }
}

/** A container as it was written down; undefined when it was not started. */
export function containerOf(parts: Parts, claim: Claim): Container | undefined {
  const { pidFile, workspace, ...own } = slotPaths(parts.paths, claim.slot);
  const socket = claim.runtime === RUNSC ? gvisorSocket(workspace) : own.socket;
  if (!existsSync(pidFile)) return undefined;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  return { claim, socket, pid, startTime: startTimeOf(pid) ?? '' };
}

export const handleOf = (sandboxId: string, container: Container): Handle => ({
  driver: 'oci',
  version: 1,
  sandboxId,
  data: { ...container },
  ...(container.claim.gpus === undefined ? {} : { gpus: container.claim.gpus }),
});

export const containerIn = (handle: Handle): Container => handle.data as Container;

const FIRST_ENDED = 'its first process has ended';

export function inspectContainer(parts: Parts, { claim, socket, pid, startTime }: Container): Status {
  const now = startTimeOf(pid);
  if (now === undefined || now !== startTime) return { state: 'gone', detail: FIRST_ENDED };
  const { cgroup } = slotPaths(parts.paths, claim.slot);
  // What runs without its limits, or where nobody reaches it, is no sandbox any more.
  if (!isInCgroup(pid, cgroup))
    return { state: 'gone', detail: isEnding(pid) ? FIRST_ENDED : 'its control group was removed' };
  if (!existsSync(socket)) return { state: 'gone', detail: "its agent's socket was removed" };
  return { state: isFrozen(cgroup) ? 'paused' : 'running' };
}

/** A namespace and a workspace, or neither. */
async function takeBoth(parts: Parts, template: Template): Promise<{ network: Network; workspace: Workspace }> {
  const [network, workspace] = await Promise.allSettled([
    parts.networks.take(template.doors),
    parts.workspaces.take(template.diskBytes),
  ]);
  if (network.status === 'fulfilled' && workspace.status === 'fulfilled')
    return { network: network.value, workspace: workspace.value };
  if (network.status === 'fulfilled') await parts.networks.release(network.value.path);
  if (workspace.status === 'fulfilled') await removeSlot(parts, workspace.value.slot);
  throw network.status === 'rejected' ? network.reason : (workspace as PromiseRejectedResult).reason;
}
