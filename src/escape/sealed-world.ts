/** Sealed sandboxes of a driver in a home of its own, two neighbours among them, and the things of the host that attacks are after. */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DRIVERS } from '#src/drivers/catalog.ts';
import type { DoorConnection, Driver, Handle, LeftOver, StartOptions } from '#src/drivers/driver.ts';
import type { Attack, Ended } from './attack.ts';
import { leftOnHost, removeShells, type Suite } from './left-on-host.ts';

const MIB = 1024 * 1024;
const PYTHON_DIR = join(import.meta.dirname, '..', '..', 'python');
export const NEIGHBOUR_PORT = 7777;
export const NEIGHBOUR_SOCKET = 'fumehood-neighbour';

export type Limits = NonNullable<Attack['limits']>;
export type ExecLimits = { timeoutMs?: number; maxOutputBytes?: number };

export type SealedWorld = {
  driver: Driver;
  folder: string;
  /** A folder of the host with the secret in `secret`. */
  hostFolder: string;
  /** What attacks are told about their targets. */
  env: Record<string, string>;
  start(name: string, limits?: Limits, env?: Record<string, string>): Promise<Handle>;
  python(handle: Handle, program: string, limits?: ExecLimits): Promise<Ended & { truncated: boolean }>;
  /** Which sandbox each connection to a door came from, with what it said. */
  connections: { sandboxId: string; said: string }[];
  /** Ends one sandbox before the others; resolves with what is left of it. */
  destroy(handle: Handle): Promise<string[]>;
  /** Removes all; resolves with what is left, which must be nothing. */
  close(): Promise<string[]>;
};

/** `pythonDir`: sources of agent and helper other than ours; `gpus`: whether they are handed out. */
export type WorldOptions = { doors?: Record<string, number>; runtime?: string; pythonDir?: string; gpus?: boolean };

export async function openSealedWorld(options: WorldOptions = {}): Promise<SealedWorld> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fumehood-escape-')));
  const hostFolder = join(folder, 'host');
  mkdirSync(hostFolder);
  // Open to everybody, so that nothing but the wall keeps a sandbox from it.
  chmodSync(folder, 0o755);
  chmodSync(hostFolder, 0o777);
  writeFileSync(join(hostFolder, 'secret'), `canary-${randomUUID()}\n`, { mode: 0o644 });
  const module = DRIVERS.oci;
  if (module === undefined) throw new Error('the catalog has no oci driver');
  const stateDir = join(folder, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  const driver = module.create({
    stateDir,
    pythonDir: options.pythonDir ?? PYTHON_DIR,
    log: () => undefined,
    nowMs: Date.now,
    config: { gpus: options.gpus ?? false },
  });
  const connections: SealedWorld['connections'] = [];
  driver.onConnection((connection) => answer(connection, connections));
  const target = await listenEverywhere();
  const hostSocket = `fumehood-host-${randomUUID()}`;
  const local = await listenAbstract(hostSocket);
  const handles: Handle[] = [];
  const env = {
    HOST_FOLDER: hostFolder,
    HOST_PID: String(process.pid),
    HOST_PORT: String(portOf(target)),
    HOST_ADDRESSES: hostAddresses().join(' '),
    NEIGHBOUR_PORT: String(NEIGHBOUR_PORT),
    NEIGHBOUR_SOCKET,
    // Until there is a neighbour.
    NEIGHBOUR_PID: String(process.pid),
    NEIGHBOUR_MARK: `mark-${randomUUID()}`,
    HOST_SOCKET: hostSocket,
  };
  const { doors = { mlflow: 5000 }, runtime = 'runc' } = options;

  return {
    driver,
    folder,
    hostFolder,
    connections,
    env,
    start: async (name, limits = {}, own = {}) => {
      const options = startOptions(name, doors, limits);
      const handle = await driver.start({ ...options, runtime, env: { ...options.env, ...own } });
      handles.push(handle);
      return handle;
    },
    python: (handle, program, limits) => python(driver, handle, `${environment(env)}${program}`, limits),
    destroy: async (handle) => (await driver.destroy(handle)).map(nameOf),
    close: () => closeWorld({ driver, handles, targets: [target, local], suite: { stateDir, folder } }),
  };
}

type Open = { driver: Driver; handles: Handle[]; targets: Server[]; suite: Suite };

/** Removes all, whatever fails on the way, and looks twice: what the inventory cannot see while it is there, it cannot miss afterwards. */
async function closeWorld({ driver, handles, targets, suite }: Open): Promise<string[]> {
  const left: string[] = [];
  try {
    const seen = new Set(leftOnHost(suite).map((line) => line.split(' ')[0]));
    const kinds = handles.length === 0 ? [] : ['mount', 'cgroup', 'loop', 'file', 'id'];
    left.push(...kinds.filter((kind) => !seen.has(kind)).map((kind) => `the inventory is blind: it sees no ${kind}`));
    for (const handle of handles) left.push(...(await driver.destroy(handle)).map(nameOf));
    left.push(...(await driver.inventory({ keep: [], remove: true })).map(nameOf));
  } finally {
    await driver.close();
    for (const target of targets) target.close();
    left.push(...leftOnHost(suite));
    removeShells(suite);
    rmSync(suite.folder, { recursive: true, force: true });
  }
  return left;
}

const nameOf = ({ kind, what }: LeftOver): string => `${kind} ${what}`;

/** Before a program of a sandbox; a container is given the same as variables. */
const environment = (env: Record<string, string>): string => `import os\nos.environ.update(${JSON.stringify(env)})\n`;

export const startOptions = (name: string, doors: Record<string, number>, limits: Limits): StartOptions => ({
  sandboxId: `sb-${name}`,
  runtime: 'runc',
  hostname: name,
  memoryBytes: 256 * MIB,
  cpus: 1,
  pids: 128,
  diskBytes: 64 * MIB,
  gpus: 0,
  env: { PATH: '/usr/bin:/bin', HOME: '/workspace' },
  mounts: [],
  doors,
  ...limits,
});

async function python(driver: Driver, handle: Handle, program: string, limits: ExecLimits = {}) {
  const session = await driver.session(handle);
  const exec = await session.exec({
    argv: ['/usr/bin/python3', '-I', '-S', '-B', '-c', program],
    timeoutMs: limits.timeoutMs ?? 20_000,
    ...(limits.maxOutputBytes === undefined ? {} : { maxOutputBytes: limits.maxOutputBytes }),
  });
  exec.stdin.end();
  const [stdout, stderr, { exitCode, signal, truncated }] = await Promise.all([
    text(exec.stdout),
    text(exec.stderr),
    exec.result,
  ]);
  return { exitCode, signal, truncated, stdout, stderr };
}

/** Writes down who came and what was said first. */
function answer({ sandboxId, socket }: DoorConnection, connections: SealedWorld['connections']): void {
  socket.on('error', () => undefined);
  socket.once('data', (data: Buffer) => {
    connections.push({ sandboxId, said: data.toString('latin1') });
    socket.end(`you are ${sandboxId}\n`);
  });
}

const greeter = (): Server =>
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('here\n');
  });

async function listenEverywhere(): Promise<Server> {
  const server = greeter();
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  return server;
}

async function listenAbstract(name: string): Promise<Server> {
  const server = greeter();
  await new Promise<void>((resolve) => server.listen(`\0${name}`, resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Addresses of the host that are not its loopback. */
export const hostAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one === undefined || one.internal || one.address.startsWith('fe80') ? [] : [one.address]));
