/** The embedded driver: an OCI bundle in a sealed network namespace, run by runc or crun on this host. */
import { statfsSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { createSession, greetAgent, shutDownAgent } from '../agent/session.ts';
import { dialPath } from '../agent/wire.ts';
import {
  type DoorConnection,
  type Driver,
  type DriverDeps,
  type DriverModule,
  type Handle,
  type StartOptions,
  type Stats,
  type Template,
  templateOf,
  type Vitals,
} from '../driver.ts';
import { readCgroup } from './cgroups.ts';
import {
  type Container,
  containerIn,
  containerOf,
  handleOf,
  inspectContainer,
  makeContainer,
  pauseContainer,
  resumeContainer,
  type Tenant,
} from './containers.ts';
import { RUNSC } from './gvisor.ts';
import { assertRoot } from './image-root.ts';
import { createMadeAhead, type MadeAhead } from './made-ahead.ts';
import { createParts, type Parts, removeEmptyFolders } from './parts.ts';
import { slotPaths } from './paths.ts';
import { endContainer, removeSlot, takeInventory } from './remove-slot.ts';
import { createRestock } from './restock.ts';

export const ociDriver: DriverModule = { id: 'oci', create: createOciDriver };

function createOciDriver(deps: DriverDeps): Driver {
  let listener: (connection: DoorConnection) => void = ({ socket }) => socket.destroy();
  const parts = createParts(deps, (connection) => listener(connection));
  const { networks, workspaces } = parts;
  const ahead = createMadeAhead(parts);
  const restock = createRestock([networks, workspaces, ahead], (message, error) =>
    deps.log('warn', message, { error }),
  );

  return {
    id: 'oci',
    probe: parts.probe,
    vitals: () => vitals(parts, ahead),
    start: (options) => restock.during(() => start(parts, ahead, options)),
    recover: (handle) => recover(parts, handle),
    inspect: async (handle) => inspectContainer(parts, containerIn(handle)),
    stats: async (handle) => stats(parts, handle),
    session: async (handle) => createSession(dialPath(containerIn(handle).socket)),
    pause: (handle) => pauseContainer(parts, containerIn(handle)),
    resume: (handle) => resumeContainer(parts, containerIn(handle)),
    stop: (handle, options) => stop(parts, handle, options?.graceMs ?? 2000),
    destroy: async ({ sandboxId }) => {
      const slot = parts.claims.ofSandbox(sandboxId)?.slot;
      return slot === undefined ? [] : removeSlot(parts, slot);
    },
    inventory: (options) => restock.apart(() => takeInventory(parts, { ...options, ready: ahead.ready() })),
    onConnection: (serve) => {
      listener = serve;
    },
    prepare: async (options) => {
      const usual = options.warm[0]?.template;
      if (usual !== undefined) {
        networks.want(options.networks, usual.doors);
        workspaces.want(options.workspaces, usual.diskBytes);
      }
      await ahead.want(options.warm);
      await restock.fill();
    },
    close: async () => {
      await restock.close();
      await ahead.close();
      await Promise.all(networks.ready().map((path) => networks.release(path)));
      await Promise.all(workspaces.ready().map((one) => removeSlot(parts, one.slot)));
      await networks.close();
      parts.helper.close();
      removeEmptyFolders(parts.paths);
    },
  };
}

async function vitals({ helper, networks, workspaces, gpus }: Parts, ahead: MadeAhead): Promise<Vitals> {
  const helpers = await helper.ask('ping', {}).then(
    () => true,
    () => false,
  );
  const pools = {
    networks: networks.ready().length,
    workspaces: workspaces.ready().length,
    sandboxes: ahead.ready().length,
  };
  return { pools, helpers, gpus: gpus.count() };
}

async function start(parts: Parts, ahead: MadeAhead, options: StartOptions): Promise<Handle> {
  await refuse(parts, options);
  const known = parts.claims.ofSandbox(options.sandboxId);
  if (known !== undefined) {
    const container = containerOf(parts, known);
    if (container !== undefined && inspectContainer(parts, container).state === 'running')
      return handleOf(options.sandboxId, container);
    await removeSlot(parts, known.slot);
  }
  const { sandboxId, hostname, ownEnv = {}, onPhase = () => undefined, onRunning = () => undefined } = options;
  const template = templateOf(options);
  const tenant: Tenant = {
    sandboxId,
    hostname,
    ownEnv,
    onPhase,
    onRunning: (container) => onRunning(handleOf(sandboxId, container)),
  };
  const container =
    template.gpus > 0
      ? await makeWithGpus(parts, template, tenant)
      : ((await ahead.claim(template, tenant)) ?? (await makeContainer(parts, template, tenant)));
  return handleOf(sandboxId, container);
}

/** Takes the GPUs first. They are given back with the rest of what did not start, or here when nothing of it was made. */
async function makeWithGpus(parts: Parts, template: Template, tenant: Tenant): Promise<Container> {
  const granted = await parts.gpus.take(tenant.sandboxId, template.gpus);
  try {
    return await makeContainer(parts, template, tenant, granted);
  } catch (error) {
    if (parts.claims.ofSandbox(tenant.sandboxId) === undefined) parts.gpus.free(tenant.sandboxId);
    throw error;
  }
}

/** Refuses what this driver or this host cannot give: never a sandbox with less. */
async function refuse(parts: Parts, options: StartOptions): Promise<void> {
  const missing = (what: string, message: string): AppError =>
    new AppError('capability_missing', message, { details: { missing: what } });
  const { runtimes, capabilities } = await parts.probe();
  if (options.gpus > 0 && !capabilities.includes('gpu')) throw missing('gpu', 'This host cannot hand out GPUs.');
  if (options.gpus > 0 && options.runtime === RUNSC)
    throw missing('gpu', `GPUs are not handed out under ${RUNSC}: its kernel stands between a program and the device.`);
  if (!runtimes.includes(options.runtime))
    throw missing(options.runtime, `The runtime "${options.runtime}" cannot be used on this host.`);
  if (options.image !== undefined) assertRoot(options.image);
}

async function recover(parts: Parts, handle: Handle): Promise<void> {
  const container = containerIn(handle);
  const { claim, socket, pid } = container;
  const { state, detail } = inspectContainer(parts, container);
  if (state !== 'running' && state !== 'paused')
    throw new AppError('unavailable', `Sandbox ${handle.sandboxId} does not run any more: ${detail ?? state}.`);
  await parts.networks.reopen(handle.sandboxId, { path: claim.network, pid }, claim.doors);
  await greetAgent(dialPath(socket));
}

function stats(parts: Parts, handle: Handle): Stats {
  const own = slotPaths(parts.paths, containerIn(handle).claim.slot);
  const readings = readCgroup(own.cgroup);
  const disk = statfsSync(own.workspace);
  return { ...readings, diskBytes: (disk.blocks - disk.bfree) * disk.bsize, diskLimitBytes: disk.blocks * disk.bsize };
}

async function stop(parts: Parts, handle: Handle, graceMs: number): Promise<void> {
  const container = containerIn(handle);
  if (inspectContainer(parts, container).state !== 'gone') {
    await shutDownAgent(dialPath(container.socket), graceMs).catch(() => undefined);
    const deadline = performance.now() + graceMs + 1000;
    while (inspectContainer(parts, container).state !== 'gone' && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await endContainer(parts, container.claim.slot, container.claim);
}
