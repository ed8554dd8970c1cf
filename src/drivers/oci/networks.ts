/** Sealed network namespaces: a pool of ready ones, and the listeners of those that sandboxes have. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DoorConnection } from '../driver.ts';
import type { Helper } from './helper-client.ts';
import { CALM_MS, type Shelf } from './restock.ts';

export type Network = {
  path: string;
  servers: Server[];
  /** Connections that are open; they end with the namespace. */
  sockets: Set<Socket>;
  /** Unset: not claimed, its connections are dropped. */
  sandboxId?: string;
};

export type Networks = Shelf & {
  /** A namespace with open doors, whose connections are dropped until it is somebody's. */
  take(doors: Record<string, number>): Promise<Network>;
  /** From now on who connects is this sandbox. */
  assign(path: string, sandboxId: string): void;
  /** Opens the doors of a namespace that outlived the control plane. */
  reopen(sandboxId: string, place: { path: string; pid: number }, doors: Record<string, number>): Promise<Network>;
  release(path: string): Promise<void>;
  want(count: number, doors: Record<string, number>): void;
  /** Paths of the ready ones. */
  ready(): string[];
  close(): Promise<void>;
};

export function createNetworks(deps: {
  folder: string;
  helper: Helper;
  serve: (connection: DoorConnection) => void;
}): Networks {
  const pool = new Map<string, Network[]>();
  const all = new Map<string, Network>();
  let wanted = { count: 0, doors: {} as Record<string, number> };
  const keyOf = (doors: Record<string, number>): string => JSON.stringify(Object.entries(doors).sort());

  const open = async (
    op: 'network' | 'listen',
    place: { path: string; pid?: number },
    doors: Record<string, number>,
  ): Promise<Network> => {
    const { path } = place;
    const network: Network = { path, servers: [], sockets: new Set() };
    const { handles } = await deps.helper.ask(op, { ...place, ports: doors });
    for (const [door, handle] of handles) network.servers.push(await serveHandle(handle, door, network, deps.serve));
    all.set(path, network);
    return network;
  };
  const make = async (doors: Record<string, number>): Promise<Network> => {
    const path = join(deps.folder, randomBytes(8).toString('hex'));
    try {
      return await open('network', { path }, doors);
    } catch (error) {
      // The helper may have died when it was half made.
      await deps.helper.ask('release_network', { path }).catch(() => undefined);
      throw error;
    }
  };

  return {
    take: async (doors) => pool.get(keyOf(doors))?.shift() ?? (await make(doors)),
    assign: (path, sandboxId) => {
      const network = all.get(path);
      if (network === undefined) throw new Error(`there is no network at ${path}`);
      network.sandboxId = sandboxId;
    },
    reopen: async (sandboxId, place, doors) => {
      const network = await open('listen', place, doors);
      network.sandboxId = sandboxId;
      return network;
    },
    release: async (path) => {
      const network = all.get(path);
      all.delete(path);
      if (network !== undefined) {
        delete network.sandboxId;
        await closeServers(network);
      }
      await deps.helper.ask('release_network', { path });
    },
    want: (count, doors) => {
      wanted = { count, doors };
    },
    calmMs: CALM_MS,
    lacks: () => (pool.get(keyOf(wanted.doors))?.length ?? 0) < wanted.count,
    addOne: async () => {
      const { doors } = wanted;
      const network = await make(doors);
      pool.set(keyOf(doors), [...(pool.get(keyOf(doors)) ?? []), network]);
    },
    ready: () => [...pool.values()].flat().map((network) => network.path),
    close: async () => {
      await Promise.all([...all.values()].map(closeServers));
    },
  };
}

const closeServers = async (network: Network): Promise<void> => {
  for (const socket of network.sockets) socket.destroy();
  await Promise.all(network.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
};

/** Serves a native listening handle; a connection is announced before a byte of it is read. */
function serveHandle(
  handle: unknown,
  door: string,
  network: Network,
  serve: (connection: DoorConnection) => void,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      if (network.sandboxId === undefined) return void socket.destroy();
      network.sockets.add(socket);
      socket.once('close', () => network.sockets.delete(socket));
      serve({ sandboxId: network.sandboxId, door, socket });
    });
    server.once('error', reject);
    server.listen(handle as object, () => resolve(server));
  });
}
