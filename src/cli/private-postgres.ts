import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { havePackages } from './debian-package.ts';

export type PrivatePostgres = {
  url: string;
  /** The process that starts all others of the server. */
  pid(): number;
  stop(): Promise<void>;
  /** Starts it again after a stop, with its data, on the same port. */
  start(): Promise<void>;
};

/** Starts a PostgreSQL cluster of its own below `folder` on a free loopback port, as an unprivileged user; Debian's package is installed when there is none. */
export async function startPostgres(options: {
  folder: string;
  say: (line: string) => void;
}): Promise<PrivatePostgres> {
  const bin = havePackages({
    packages: ['postgresql'],
    find: findBin,
    need: 'The tests of the store need PostgreSQL',
    instead: 'set FUMEHOOD_TEST_POSTGRES to the URL of one',
    say: options.say,
  });
  const data = join(options.folder, 'postgres');
  const root = process.getuid?.() === 0;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (root) {
    chmodSync(options.folder, 0o711);
    const { uid, gid } = idsOf('postgres');
    chownSync(data, uid, gid);
  }
  const as = (command: string, args: string[]): void => {
    const [program, rest] = root
      ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args]]
      : [command, args];
    const done = spawnSync(program, rest, { cwd: '/', encoding: 'utf8' });
    if (done.status !== 0)
      throw new AppError(
        'unavailable',
        `PostgreSQL for the tests does not start: ${done.stderr?.trim() ?? done.error?.message}`,
      );
  };
  const port = await freePort();
  as(join(bin, 'initdb'), [
    '-D',
    data,
    '-U',
    'fumehood',
    '--auth=trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
  ]);
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=200`;
  const start = (): void =>
    as(join(bin, 'pg_ctl'), ['-D', data, '-w', '-l', join(data, 'log'), '-o', settings, 'start']);
  start();
  return {
    url: `postgres://fumehood@127.0.0.1:${port}/postgres`,
    pid: () => Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10),
    start: async () => start(),
    stop: async () => as(join(bin, 'pg_ctl'), ['-D', data, '-m', 'immediate', 'stop']),
  };
}

/** The newest installed server's programs. */
function findBin(): string | undefined {
  return globSync('/usr/lib/postgresql/*/bin')
    .sort()
    .findLast((folder) => existsSync(join(folder, 'initdb')));
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
