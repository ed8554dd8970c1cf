/**
 * `node bench/soak.ts [--minutes 60] [--sandboxes 50] [--json FILE]`: sandboxes come, work and go for an hour, and what the control plane and
 * the machine hold is counted all the while. Exit code 1 when memory grew by 10 % or more, or when anything that is counted is not flat.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import { startControlPlane, type TestControlPlane } from '../test/control-plane.ts';
import { execIn } from './exec-client.ts';
import { median } from './measure.ts';
import { machine } from './report.ts';

const MINUTE_MS = 60_000;
const MOST_GROWTH = 1.1;
/** Until then caches and pools fill. */
const SETTLED = 0.2;

/** What is held at one moment. Memory in bytes, of the control plane alone; the rest are counts. */
type Sample = {
  minute: number;
  memory: number;
  descriptors: number;
  helperDescriptors: number;
  mounts: number;
  namespaces: number;
  loops: number;
};
type Tally = { made: number; removed: number; crossings: number; failed: number };

/** Three crossings from inside: a search of runs, an object written, a secret that is not there. */
const CLIENT = `python3 -I -S - <<'END'
import http.client
for port, method, path, body in ((5000, "POST", "/api/2.0/mlflow/runs/search", b'{"experiment_ids": ["0"]}'),
                                 (9000, "PUT", "/mlflow/soak/object", b"x" * 2000), (8200, "GET", "/v1/secret/data/none", b"")):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    connection.getresponse().read()
END`;

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, sandboxes: { type: 'string' }, json: { type: 'string' } },
});
const minutes = Number(values.minutes ?? 60);
const many = Number(values.sandboxes ?? 50);

const control = await startControlPlane({
  FUMEHOOD_QUOTA_DEFAULTS_SANDBOXES: String(many + 10),
  FUMEHOOD_QUOTA_DEFAULTS_CPUS: String(many + 10),
});
const samples: Sample[] = [];
const tally: Tally = { made: 0, removed: 0, crossings: 0, failed: 0 };
try {
  const pid = await control.pid();
  const server = { url: control.url, token: readFileSync(`${control.home}/operator.token`, 'utf8').trim() };
  const until = Date.now() + minutes * MINUTE_MS;
  const workers = Promise.all(Array.from({ length: many }, () => churn(server, control, until)));
  // It is awaited below; that it failed before is no crash.
  workers.catch(() => undefined);
  for (let at = 0; Date.now() < until; at += 1) {
    await sleep(Math.min(MINUTE_MS / 4, Math.max(0, until - Date.now())));
    samples.push({ minute: minutes - (until - Date.now()) / MINUTE_MS, ...heldBy(pid, control.home) });
    const last = samples.at(-1);
    if (at % 4 === 0) process.stderr.write(`${JSON.stringify({ ...last, ...tally })}\n`);
  }
  await workers;
} finally {
  await control.close();
}
report();

/** One sandbox after the other: made, used through its doors and by commands, and removed, at a moment of its own. */
async function churn(
  server: { url: string; token: string },
  { doors }: Pick<TestControlPlane, 'doors'>,
  until: number,
): Promise<void> {
  await sleep(Math.random() * 5000);
  while (Date.now() < until) {
    const id = await call(server, 'POST', `${server.url}/api/v1/sandboxes`, { memory: '64m', disk: '32m', cpus: 0.5 });
    if (id === undefined) continue;
    tally.made += 1;
    const end = Math.min(until, Date.now() + 5000 + Math.random() * 20_000);
    while (Date.now() < end) {
      await execIn(server, id, 'exec', { argv: ['sh', '-c', CLIENT] }).catch(() => {
        tally.failed += 1;
      });
      const name = randomBytes(4).toString('hex');
      await call(server, 'POST', `${doors.vault}/v1/secret/data/${name}`, { data: { value: name } });
      tally.crossings += 4;
      await sleep(1000 + Math.random() * 2000);
    }
    if ((await call(server, 'DELETE', `${server.url}/api/v1/sandboxes/${id}`)) !== undefined) tally.removed += 1;
  }
}

/** The id in the answer, or undefined (counted) when it failed. */
async function call(
  server: { token: string },
  method: string,
  url: string,
  body?: unknown,
): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${server.token}`,
        'x-vault-token': server.token,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return String((JSON.parse(text || '{}') as { id?: string }).id ?? '');
  } catch (error) {
    tally.failed += 1;
    if (tally.failed < 10)
      process.stderr.write(`${method} ${url}: ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

function heldBy(pid: number, home: string): Omit<Sample, 'minute'> {
  const helper = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0] ?? '';
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const count = (path: string): number => readdirSync(path).length;
  const mounts = linesWith(readFileSync('/proc/self/mountinfo', 'utf8'), pathsOf(join(home, 'driver')).runDir);
  return {
    memory: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024,
    descriptors: count(`/proc/${pid}/fd`),
    helperDescriptors: helper === '' ? 0 : count(`/proc/${helper}/fd`),
    mounts: mounts.length,
    namespaces: mounts.filter((line) => line.includes(' nsfs ')).length,
    loops: linesWith(execFileSync('losetup', ['-n', '-l', '-O', 'BACK-FILE'], { encoding: 'utf8' }), home).length,
  };
}

function linesWith(text: string, part: string): string[] {
  return text.split('\n').filter((line) => line.includes(part));
}

/**
 * The settled samples' first third beside their last: of memory the middle, of what is counted the least, since work that is under way holds some
 * too. What is lost for good raises the least.
 */
function report(): void {
  const settled = samples.slice(Math.floor(samples.length * SETTLED));
  const third = Math.max(1, Math.floor(settled.length / 3));
  const rows = Object.keys(settled[0] ?? {})
    .filter((name) => name !== 'minute')
    .map((name) => {
      const key = name as keyof Sample;
      const [early, late] = [settled.slice(0, third), settled.slice(-third)].map((some) =>
        name === 'memory' ? median(some.map((one) => one[key])) : Math.min(...some.map((one) => one[key])),
      );
      const growth = (late ?? 0) / Math.max(1, early ?? 0);
      const more = (late ?? 0) - (early ?? 0);
      // A few more or less are work that happened to be under way.
      return { name, early, late, growth, ok: growth < MOST_GROWTH || (name !== 'memory' && more <= many / 5) };
    });
  for (const { name, early, late, growth, ok } of rows)
    process.stdout.write(`${name.padEnd(18)} ${early} -> ${late}  ${growth.toFixed(3)}x  ${ok ? 'flat' : 'GREW'}\n`);
  process.stdout.write(`${JSON.stringify(tally)}\n`);
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ machine: machine(), minutes, many, tally, rows, samples }, null, 2)}\n`,
    );
  process.exit(rows.every((row) => row.ok) && tally.failed === 0 ? 0 : 1);
}
