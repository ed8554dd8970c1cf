/** Where connections come in: from the drivers' listeners inside sandboxes, and from the control plane's own addresses. */
import { createServer, type Server, type Socket } from 'node:net';
import { AppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import type { DoorConnection } from '#src/drivers/driver.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { createBodyBudget } from './body-budget.ts';
import type { Door } from './door.ts';
import { createDoorServer, type DoorLimits, type DoorServer } from './door-server.ts';

export type ListenersDeps = {
  doors: readonly Door[];
  /** True while the sandbox is claimed and running: only then are its connections served. */
  isServed: (sandboxId: string) => boolean;
  log: Log;
  ids: Ids;
  limits?: Partial<DoorLimits>;
  watch?: WatchRequest;
  /** Open connections of one sandbox, over all doors. */
  maxConnectionsPerSandbox?: number;
  /** Open connections of one external address. */
  maxExternalConnections?: number;
};

export type Listeners = {
  /** Serves a connection that a driver took on a sandbox's door; the connection is the identity. */
  acceptSandbox(connection: DoorConnection): void;
  /** Listens for people and services outside sandboxes; port 0 takes a free one. Throws `conflict` when the port is taken. */
  openExternal(options: { door: string; host: string; port: number }): Promise<{ port: number }>;
  /** Bytes that went through a sandbox's doors since this process serves it: `in` into the sandbox, `out` of it. */
  trafficOf(sandboxId: string): { inBytes: number; outBytes: number };
  /** Cuts every connection of a sandbox that has stopped. */
  closeSandbox(sandboxId: string): void;
  close(): Promise<void>;
};

/** Builds one server a door over all sandboxes and external addresses. */
export function createListeners(deps: ListenersDeps): Listeners {
  const servers = new Map<string, DoorServer>();
  const budget = createBodyBudget();
  for (const door of deps.doors) {
    const { log, ids, limits, watch } = deps;
    const some = { ...(limits === undefined ? {} : { limits }), ...(watch === undefined ? {} : { watch }) };
    servers.set(door.id, createDoorServer({ door, log, ids, budget, ...some }));
  }
  const connections = new Map<string, Set<Socket>>();
  const traffic = createTraffic();
  const external: { server: Server; sockets: Set<Socket> }[] = [];
  const most = deps.maxConnectionsPerSandbox ?? 256;

  return {
    acceptSandbox: ({ sandboxId, door, socket }) => {
      const server = servers.get(door);
      const open = connections.get(sandboxId) ?? new Set<Socket>();
      if (server === undefined || !deps.isServed(sandboxId) || open.size >= most) {
        socket.on('error', () => undefined);
        socket.destroy();
        deps.log('warn', 'a connection was turned away', { sandboxId, door, open: open.size });
        return;
      }
      connections.set(sandboxId, open);
      traffic.opened(sandboxId);
      track(open, socket, () => {
        traffic.closed(sandboxId, socket);
        if (open.size === 0 && connections.get(sandboxId) === open) connections.delete(sandboxId);
      });
      server.serve(socket, { kind: 'sandbox', sandboxId });
    },

    openExternal: async ({ door, host, port }) => {
      const doorServer = servers.get(door);
      if (doorServer === undefined) throw new AppError('not_found', `There is no door "${door}".`);
      const sockets = new Set<Socket>();
      const server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, (socket) => {
        track(sockets, socket, () => undefined);
        doorServer.serve(socket, { kind: 'external' });
      });
      server.maxConnections = deps.maxExternalConnections ?? 1024;
      external.push({ server, sockets });
      return { port: await listen(server, host, port) };
    },

    trafficOf: (sandboxId) => traffic.of(sandboxId, connections.get(sandboxId) ?? new Set()),

    closeSandbox: (sandboxId) => {
      traffic.forget(sandboxId);
      for (const socket of connections.get(sandboxId) ?? []) socket.destroy();
    },

    close: async () => {
      for (const open of connections.values()) for (const socket of open) socket.destroy();
      for (const { server, sockets } of external) {
        server.close();
        for (const socket of sockets) socket.destroy();
      }
      for (const server of servers.values()) server.close();
    },
  };
}

/** What closed connections carried is added up; what open ones did is asked of them. */
function createTraffic() {
  const closed = new Map<string, { inBytes: number; outBytes: number }>();
  return {
    opened: (sandboxId: string): void => {
      if (!closed.has(sandboxId)) closed.set(sandboxId, { inBytes: 0, outBytes: 0 });
    },
    closed: (sandboxId: string, socket: Socket): void => {
      const sum = closed.get(sandboxId);
      if (sum === undefined) return;
      sum.inBytes += socket.bytesWritten;
      sum.outBytes += socket.bytesRead;
    },
    of: (sandboxId: string, open: ReadonlySet<Socket>) => {
      const { inBytes, outBytes } = closed.get(sandboxId) ?? { inBytes: 0, outBytes: 0 };
      const sockets = [...open];
      return {
        inBytes: sockets.reduce((sum, one) => sum + one.bytesWritten, inBytes),
        outBytes: sockets.reduce((sum, one) => sum + one.bytesRead, outBytes),
      };
    },
    forget: (sandboxId: string): void => void closed.delete(sandboxId),
  };
}

function track(open: Set<Socket>, socket: Socket, onClose: () => void): void {
  open.add(socket);
  socket.once('close', () => {
    open.delete(socket);
    onClose();
  });
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = taken ? `Port ${port} on ${host} is taken.` : `Port ${port} on ${host} cannot be opened.`;
      reject(new AppError(taken ? 'conflict' : 'unavailable', message, { cause: error }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
