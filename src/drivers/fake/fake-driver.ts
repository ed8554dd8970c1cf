/** A driver without a host: it keeps the contract in memory, so that what goes wrong on a host can be made to go wrong. */
import { AppError } from '#kernel/errors.ts';
import type { Driver, DriverModule, Handle, LeftOver, Probe, Session, StartOptions } from '../driver.ts';
import { createFakeFiles } from './fake-files.ts';
import { runFake } from './fake-programs.ts';
import type { FakeSandbox, FakeWorld } from './fake-world.ts';

const PROBE: Probe = {
  usable: true,
  capabilities: [
    'network-seal',
    'user-namespace',
    'seccomp',
    'memory',
    'cpu',
    'pids',
    'disk',
    'inodes',
    'pause',
    'read-only-root',
  ],
  runtimes: ['runc'],
  checks: [],
};

/** The module of a fake driver over this world. */
export const fakeDriver = (world: FakeWorld): DriverModule => ({
  id: 'fake',
  create: ({ nowMs }) => createFake(world, nowMs),
});

function createFake(world: FakeWorld, nowMs: () => number): Driver {
  const { sandboxes, failures } = world;
  const find = (handle: Handle): FakeSandbox => {
    const sandbox = sandboxes.get(handle.sandboxId);
    if (sandbox === undefined) throw new AppError('unavailable', 'The sandbox is gone.');
    return sandbox;
  };
  const stop = (sandbox: FakeSandbox): void => {
    sandbox.state = 'exited';
    for (const kill of sandbox.running) kill();
    for (const watch of sandbox.watches) watch.onEnd();
    sandbox.watches.clear();
  };
  const destroy = (id: string): LeftOver[] => {
    const sandbox = sandboxes.get(id);
    if (sandbox !== undefined) stop(sandbox);
    sandboxes.delete(id);
    const residue = failures.residue.get(id);
    return residue === undefined ? [] : [{ kind: 'mount', what: residue }];
  };
  return {
    id: 'fake',
    probe: async () => PROBE,
    start: async (options) => {
      refuse(options);
      if (failures.start > 0) {
        failures.start -= 1;
        throw new AppError('unavailable', 'The fake host does not start it.');
      }
      const known = sandboxes.get(options.sandboxId);
      if (known?.state !== 'running') sandboxes.set(options.sandboxId, newSandbox(options, nowMs()));
      return { driver: 'fake', version: 1, sandboxId: options.sandboxId, data: {} };
    },
    recover: async (handle) => {
      if (failures.recover > 0) {
        failures.recover -= 1;
        throw new AppError('unavailable', 'The fake host lost it.');
      }
      if (find(handle).state === 'exited') throw new AppError('unavailable', 'The sandbox does not run any more.');
    },
    inspect: async ({ sandboxId }) => {
      const sandbox = sandboxes.get(sandboxId);
      return sandbox === undefined ? { state: 'gone' } : { state: sandbox.state };
    },
    stats: async (handle) => statsOf(find(handle)),
    session: async (handle) => sessionOf(world, find(handle), nowMs),
    pause: async (handle) => {
      find(handle).state = 'paused';
    },
    resume: async (handle) => {
      find(handle).state = 'running';
    },
    stop: async (handle) => {
      const sandbox = sandboxes.get(handle.sandboxId);
      if (sandbox !== undefined) stop(sandbox);
    },
    destroy: async (handle) => destroy(handle.sandboxId),
    inventory: async ({ keep, remove }) => {
      const others = [...sandboxes.keys()].filter((id) => !keep.includes(id));
      if (remove) for (const id of others) destroy(id);
      return remove ? [] : others.map((id) => ({ kind: 'container', what: id }));
    },
    onConnection: () => undefined,
    prepare: async () => undefined,
    close: async () => undefined,
  };
}

function refuse(options: StartOptions): void {
  const missing =
    options.gpus > 0
      ? 'gpu'
      : options.image !== undefined
        ? 'image'
        : options.runtime === 'runc'
          ? undefined
          : options.runtime;
  if (missing !== undefined)
    throw new AppError('capability_missing', `The fake host cannot enforce: ${missing}.`, { details: { missing } });
}

const newSandbox = (options: StartOptions, nowMs: number): FakeSandbox => ({
  options,
  state: 'running',
  files: new Map(),
  folders: new Set(['/', '/workspace', '/tmp']),
  running: new Set(),
  watches: new Set(),
  lastExecEndMs: nowMs,
});

const statsOf = ({ options, files, running }: FakeSandbox) => ({
  cpuSeconds: 0,
  memoryBytes: 1024,
  memoryPeakBytes: 1024,
  pids: 1 + running.size,
  diskBytes: [...files.values()].reduce((sum, file) => sum + file.content.length, 0),
  diskLimitBytes: options.diskBytes,
  oomKills: 0,
});

function sessionOf(world: FakeWorld, sandbox: FakeSandbox, nowMs: () => number): Session {
  const { sandboxId } = sandbox.options;
  const answering = (): void => {
    if (sandbox.state !== 'running' || world.failures.agentGone.has(sandboxId))
      throw new AppError('unavailable', 'The sandbox ended, or its agent does not answer.');
  };
  return {
    approach: () => undefined,
    leave: () => undefined,
    exec: async (options) => {
      answering();
      return runFake(sandbox, options, nowMs);
    },
    runPython: async () => {
      throw new AppError('unsupported', 'The fake driver has no Python.');
    },
    files: createFakeFiles(sandbox, nowMs),
    connectPort: async () => {
      throw new AppError('unsupported', 'The fake driver has no ports.');
    },
    activity: async () => {
      answering();
      return { runningExecs: sandbox.running.size, idleMs: nowMs() - sandbox.lastExecEndMs };
    },
  };
}
