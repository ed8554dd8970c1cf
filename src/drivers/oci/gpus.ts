/** GPUs are handed out whole, one sandbox at a time, and cleared before: found, claimed, seen to be in nobody's hands, overwritten. */
import { basename } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Gpu, LeftOver } from '../driver.ts';
import { createGpuClaims } from './gpu-claims.ts';
import type { GpuGrant } from './gpu-grant.ts';
import { type DeviceNode, type GpuHost, nodeNameOf } from './gpu-host.ts';

/** A process that has a device open. */
export type Holder = { pid: number; program: string };

export type Gpus = {
  /** Takes so many for a sandbox, or none: throws `capability_missing` for more than there are, `unavailable` for more than are free. */
  take(sandboxId: string, count: number): Promise<GpuGrant>;
  /** Frees what a sandbox had; nothing happens the second time. */
  free(sandboxId: string): void;
  /** What is claimed for none of these sandboxes, nor for one that this process is starting; `remove` frees it. */
  inventory(options: { keep: ReadonlySet<string>; remove: boolean }): LeftOver[];
  /** GPUs that can be handed out here, and those that are, by any home. */
  count(): { total: number; used: number };
};

export type GpuDeps = {
  homeId: string;
  /** On the whole host: which GPU belongs to whom. */
  folder: string;
  find: () => GpuHost;
  holders: (node: DeviceNode) => Promise<Holder[]>;
  /** Overwrites all memory of a GPU that can be had; throws when it cannot. `library`: the host's libcuda. */
  clear: (gpu: Gpu, library: string) => Promise<unknown>;
  log: (message: string, fields: Record<string, unknown>) => void;
};

/** Keeps GPUs started by having their nodes open, and never has memory of one. */
const KEEPS_STARTED = 'nvidia-persistenced';

export function createGpus(deps: GpuDeps): Gpus {
  const claims = createGpuClaims(deps.folder);
  const ownerOf = (sandboxId: string): string => `${deps.homeId} ${sandboxId}`;
  /** Sandboxes of this process that have some, or are about to. */
  const ours = new Set<string>();
  let last: Promise<unknown> = Promise.resolve();

  /** Whether nothing on this host has it open that could have used it. */
  const isIdle = async (gpu: Gpu, host: GpuHost): Promise<boolean> => {
    const holders = (await deps.holders(nodeOf(host, gpu))).filter(
      ({ program }) => basename(program) !== KEEPS_STARTED,
    );
    if (holders.length > 0) deps.log('a GPU is in use by processes of the host', { gpu: gpu.index, holders });
    return holders.length === 0;
  };
  const claimIdle = async (host: GpuHost, owner: string, count: number, taken: Gpu[]): Promise<void> => {
    for (const gpu of host.gpus) {
      if (taken.length === count) break;
      if (!claims.take(gpu.uuid, owner)) continue;
      taken.push(gpu);
      if (await isIdle(gpu, host)) continue;
      taken.pop();
      claims.drop(gpu.uuid, owner);
    }
    if (taken.length < count) throw tooFew(count, taken.length, host);
  };
  const grant = async (owner: string, count: number): Promise<GpuGrant> => {
    const host = deps.find();
    const { libraries, tool } = host;
    const [cuda] = libraries;
    if (cuda === undefined || tool === undefined || host.missingLibraries.length + host.missingNodes.length > 0)
      throw missing('What the GPU driver needs is not all there.');
    if (count > host.gpus.length) throw missing(`${asked(count)}, and this host has ${host.gpus.length} to hand out.`);
    const gpus: Gpu[] = [];
    try {
      await claimIdle(host, owner, count, gpus);
      await Promise.all(gpus.map((gpu) => deps.clear(gpu, cuda.source)));
      return { gpus, nodes: grantedNodes(host, gpus), libraries, tool };
    } catch (error) {
      for (const { uuid } of gpus) claims.drop(uuid, owner);
      throw error;
    }
  };

  return {
    take: (sandboxId, count) => {
      ours.add(sandboxId);
      // One after the other, so that two that ask for several never have half of them each.
      const taking = last
        .then(() => grant(ownerOf(sandboxId), count))
        .catch((error) => {
          ours.delete(sandboxId);
          throw error;
        });
      last = taking.catch(() => undefined);
      return taking;
    },
    free: (sandboxId) => {
      claims.free(ownerOf(sandboxId));
      ours.delete(sandboxId);
    },
    inventory: ({ keep, remove }) => {
      const lost = claims.owned(ownerOf('')).filter(({ owner }) => {
        const sandboxId = owner.slice(ownerOf('').length);
        return !keep.has(sandboxId) && !ours.has(sandboxId);
      });
      if (remove) for (const { owner } of lost) claims.free(owner);
      return remove ? [] : lost.map(({ uuid }) => ({ kind: 'gpu', what: uuid }));
    },
    count: () => ({ total: deps.find().gpus.length, used: claims.owned('').length }),
  };
}

const nodeOf = (host: GpuHost, gpu: Gpu): DeviceNode => {
  const node = host.nodes.find(({ path }) => path === `/dev/${nodeNameOf(gpu)}`);
  if (node === undefined) throw missing(`GPU ${gpu.index} has no device node.`);
  return node;
};

/** Those of the granted GPUs, and those that all of them share; no other one. */
function grantedNodes(host: GpuHost, gpus: readonly Gpu[]): DeviceNode[] {
  const own = new Set(gpus.map((gpu) => `/dev/${nodeNameOf(gpu)}`));
  return host.nodes.filter(({ path }) => own.has(path) || !/^\/dev\/nvidia\d+$/.test(path));
}

const missing = (message: string): AppError =>
  new AppError('capability_missing', message, { details: { missing: 'gpu' } });

const asked = (count: number): string => (count === 1 ? '1 GPU was asked for' : `${count} GPUs were asked for`);

const tooFew = (count: number, free: number, host: GpuHost): AppError =>
  new AppError('unavailable', `${asked(count)}; of this host's ${host.gpus.length}, ${free} can be had now.`, {
    details: {
      resource: 'gpus',
      asked: count,
      free,
      hint: 'The others belong to sandboxes, or a process of the host uses them: see "fumehood sandbox list --everybody" and "nvidia-smi".',
    },
  });
