/** What the control plane itself needs of the host, besides what the driver checks. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import type { Check } from '#src/drivers/driver.ts';
import { deadHomes } from './dead-homes.ts';
import { readControl, readText } from './home.ts';

type Looked = { home: string; env: NodeJS.ProcessEnv };

const EARLIEST_MS = Date.UTC(2026, 0, 1);

/** Checks Node, the tools, the home, the clock and the port. */
export async function hostChecks({ home, env }: Looked): Promise<Check[]> {
  return [
    check({ id: 'node', title: 'Node', found: process.version, required: true }),
    tool(env, 'uv', 'Environments cannot be built.', 'fumehood up'),
    tool(
      env,
      'opa',
      'Policies cannot be checked or applied; those in force are still decided.',
      'fumehood policy check FILE',
    ),
    homeCheck(home),
    keysCheck(home),
    deadHomesCheck(home),
    clockCheck(),
    await portCheck(home, env),
  ];
}

const check = (made: Pick<Check, 'id' | 'title' | 'found'> & Partial<Check>): Check => ({
  state: 'ok',
  consequence: '',
  fix: '',
  required: false,
  ...made,
});

function tool(env: NodeJS.ProcessEnv, name: string, consequence: string, fix: string): Check {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const path = folders.map((folder) => join(folder, name)).find((file) => isExecutable(file));
  if (path === undefined)
    return check({
      id: name,
      title: name,
      state: 'missing',
      found: 'not found',
      consequence,
      fix: `${fix} (installs it)`,
    });
  return check({ id: name, title: name, found: `${versionOf(path)} (${path})` });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function versionOf(path: string): string {
  for (const word of ['version', '--version']) {
    try {
      const text = execFileSync(path, [word], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 5000 });
      const version = /\d+\.\d+(\.\d+)?/.exec(text)?.[0];
      if (version !== undefined) return version;
    } catch {
      // The other spelling may be the right one.
    }
  }
  return 'version unknown';
}

function homeCheck(home: string): Check {
  let place = home;
  while (!existsSync(place)) place = dirname(place);
  const found = place === home ? home : `${home} (to be made)`;
  try {
    accessSync(place, constants.W_OK);
  } catch {
    const fix = `chown "$(id -un)" '${place}'`;
    return check({
      id: 'home',
      title: 'Home',
      state: 'missing',
      found,
      consequence: 'No state can be kept.',
      fix,
      required: true,
    });
  }
  const shared = place === home && (statSync(home).mode & 0o077) !== 0;
  if (!shared) return check({ id: 'home', title: 'Home', found, required: true });
  return check({
    id: 'home',
    title: 'Home',
    state: 'degraded',
    found,
    consequence: 'Other users of this system can look into it.',
    fix: `chmod 700 '${home}'`,
  });
}

/** Keys that others of this system may read. */
export function keyFilesOpenToOthers(home: string): string[] {
  const folder = join(home, 'keys');
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return [...files, join(home, 'operator.token')].filter(
    (file) => existsSync(file) && (statSync(file).mode & 0o077) !== 0,
  );
}

function keysCheck(home: string): Check {
  const folder = join(home, 'keys');
  const made = { id: 'keys', title: 'Keys' };
  if (!existsSync(folder)) return check({ ...made, found: 'none yet' });
  const open = keyFilesOpenToOthers(home);
  if ((statSync(folder).mode & 0o077) !== 0) open.unshift(folder);
  if (open.length === 0) return check({ ...made, found: folder });
  return check({
    ...made,
    state: 'missing',
    found: `${open.join(', ')} can be read by others`,
    consequence: 'The control plane refuses to start with them: whoever has them can read every object and secret.',
    fix: `chmod go= ${open.map((one) => `'${one}'`).join(' ')}`,
    required: true,
  });
}

function deadHomesCheck(home: string): Check {
  const dead = deadHomes().filter(({ stateDir }) => stateDir !== join(home, 'driver'));
  const made = { id: 'dead-homes', title: 'Removed homes' };
  if (dead.length === 0) return check({ ...made, found: 'nothing is left of any' });
  return check({
    ...made,
    state: 'degraded',
    found: `${dead.length} left something`,
    consequence: 'Mounts, processes and ranges of ids of homes that are gone may still be held.',
    fix: 'fumehood doctor --fix',
  });
}

/** A clock that is far off breaks expiry, signatures and the audit log's times. */
function clockCheck(): Check {
  const now = Date.now();
  const uptimeMs = Number(readText('/proc/uptime')?.split(' ')[0] ?? 0) * 1000;
  const sane = now > EARLIEST_MS && now - uptimeMs > 0;
  const found = new Date(now).toISOString();
  if (sane) return check({ id: 'clock', title: 'Clock', found, required: true });
  const consequence = 'Expiry, signatures and the times in the audit log would be wrong.';
  return check({
    id: 'clock',
    title: 'Clock',
    state: 'missing',
    found,
    consequence,
    fix: 'timedatectl set-ntp true',
    required: true,
  });
}

async function portCheck(home: string, env: NodeJS.ProcessEnv): Promise<Check> {
  const { loadConfig } = await import('#src/config/load-config.ts');
  const { settings } = loadConfig({ home, env, cwd: process.cwd() });
  const at = settings.listen.lastIndexOf(':');
  const [host, port] = [settings.listen.slice(0, at).replace(/[[\]]/g, ''), Number(settings.listen.slice(at + 1))];
  const own = readControl(home);
  const title = `Port ${settings.listen}`;
  if (own !== undefined && Number(new URL(own.url).port) === port)
    return check({ id: 'port', title, found: `served by this home's control plane (process ${own.pid})` });
  const error = await tryToListen(host, port);
  if (error === undefined) return check({ id: 'port', title, found: 'free' });
  return check({
    id: 'port',
    title,
    state: 'degraded',
    found: error,
    consequence: 'The control plane cannot listen there.',
    fix: 'fumehood up --listen 127.0.0.1:0',
  });
}

function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'taken' : String(error.code)),
    );
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
