/**
 * Containers made ahead: started, walled in, their interpreter loaded, and then stopped where they stand. They belong to nobody; a sandbox
 * gets one only if it would have been made in every respect like it.
 */
import { statSync } from 'node:fs';
import { whenLoaded } from '../agent/session.ts';
import { dialPath } from '../agent/wire.ts';
import type { Template } from '../driver.ts';
import { freeze } from './cgroups.ts';
import { type Container, claimContainer, inspectContainer, makeContainer, type Tenant } from './containers.ts';
import type { Parts } from './parts.ts';
import { slotPaths } from './paths.ts';
import { removeSlot } from './remove-slot.ts';
import type { Shelf } from './restock.ts';

export type MadeAhead = Shelf & {
  want(kinds: readonly { count: number; template: Template }[]): Promise<void>;
  /** One that is this sandbox's from now on, or undefined: then it has to be made. */
  claim(template: Template, tenant: Tenant): Promise<Container | undefined>;
  /** Slots of those that are ready. */
  ready(): string[];
  close(): Promise<void>;
};

type Kind = { key: string; count: number; template: Template; ready: Container[] };

/** Making a whole one takes long enough to be in the way. */
const LONG_CALM_MS = 500;

export function createMadeAhead(parts: Parts): MadeAhead {
  let kinds = new Map<string, Kind>();
  let closed = false;
  const remove = async (containers: readonly Container[]): Promise<void> =>
    void (await Promise.all(containers.map(({ claim }) => removeSlot(parts, claim.slot))));
  /** Its environment was removed, or made anew: what is ready of it is nobody's like any more. */
  const forget = async (kind: Kind): Promise<void> => {
    kinds.delete(kind.key);
    await remove(kind.ready);
  };
  const lacking = (): Kind | undefined => [...kinds.values()].find((kind) => kind.ready.length < kind.count);

  return {
    calmMs: LONG_CALM_MS,
    lacks: () => lacking() !== undefined,
    addOne: async () => {
      const kind = lacking();
      if (kind === undefined) return;
      if (kindOf(kind.template) !== kind.key) return forget(kind);
      const container = await makeAhead(parts, kind.template);
      const now = kinds.get(kind.key);
      if (closed || now === undefined || now.ready.length >= now.count) await remove([container]);
      else now.ready.push(container);
    },
    want: async (wanted) => {
      const before = kinds;
      kinds = new Map();
      for (const { count, template } of wanted) {
        const key = kindOf(template);
        if (key !== undefined && count > 0)
          kinds.set(key, { key, count, template, ready: before.get(key)?.ready.slice(0, count) ?? [] });
      }
      const kept = new Set([...kinds.values()].flatMap((kind) => kind.ready));
      await remove([...before.values()].flatMap((kind) => kind.ready).filter((one) => !kept.has(one)));
    },
    claim: async (template, tenant) => {
      const kind = kinds.get(kindOf(template) ?? '');
      for (let one = kind?.ready.shift(); one !== undefined; one = kind?.ready.shift()) {
        try {
          if (inspectContainer(parts, one).state !== 'paused')
            throw new Error('it does not stand still as it was left');
          return await claimContainer(parts, one, tenant);
        } catch (error) {
          parts.deps.log('warn', 'what was made ahead could not be used', { slot: one.claim.slot, error });
          await remove([one]);
        }
      }
      return undefined;
    },
    ready: () => [...kinds.values()].flatMap((kind) => kind.ready.map((one) => one.claim.slot)),
    close: async () => {
      closed = true;
      const all = [...kinds.values()].flatMap((kind) => kind.ready);
      kinds = new Map();
      await remove(all);
    },
  };
}

async function makeAhead(parts: Parts, template: Template): Promise<Container> {
  const container = await makeContainer(parts, template);
  try {
    await whenLoaded(dialPath(container.socket));
    await freeze(slotPaths(parts.paths, container.claim.slot).cgroup);
    return container;
  } catch (error) {
    await removeSlot(parts, container.claim.slot);
    throw error;
  }
}

/**
 * What must be equal for two sandboxes to be interchangeable; undefined for what is never made ahead: what mounts something, has an image or a
 * GPU, or a runtime whose sandboxes cannot be named from outside.
 */
function kindOf(template: Template): string | undefined {
  const { runtime, memoryBytes, cpus, pids, diskBytes, gpus, env, environmentDir, warmImports, mounts, image, doors } =
    template;
  if (mounts.length > 0 || image !== undefined || gpus > 0 || runtime === 'runsc') return undefined;
  const environment = environmentDir === undefined ? null : folderIdentity(environmentDir);
  if (environment === undefined) return undefined;
  const sorted = (record: Record<string, unknown>) => Object.entries(record).sort();
  return JSON.stringify([
    runtime,
    [memoryBytes, cpus, pids, diskBytes],
    sorted(env),
    environment,
    warmImports ?? [],
    sorted(doors),
  ]);
}

/** A folder that was removed and made again is another one. */
function folderIdentity(path: string): string | undefined {
  try {
    const { dev, ino, birthtimeMs } = statSync(path);
    return `${path} ${dev}:${ino} ${birthtimeMs}`;
  } catch {
    return undefined;
  }
}
