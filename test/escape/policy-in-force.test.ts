/** When policy holds: from a sandbox's first packet on, while the control plane is dead, after it is back, and to the end of its time. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const DEADLINE_MS = 90_000;

let control: TestControlPlane;
let outside: Server;
let granted = '';
let token = '';

before(async () => {
  outside = createServer((socket) => socket.on('error', () => undefined).end('here\n'));
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  granted = `127.0.0.1:${(outside.address() as AddressInfo).port}`;
  control = await startControlPlane({ FUMEHOOD_EGRESS_ALLOW_PRIVATE: granted, FUMEHOOD_POOL_WARM: '2' });
  token = await control.user('ada', 'engineer');
});

after(async () => {
  outside?.close();
  await control?.close();
});

/** Of the usual sizes, since those are made ahead. */
const create = (name: string, ...flags: string[]) =>
  control.json<{ id: string }>(['sandbox', 'create', '--name', name, ...flags], { token });

const python = async (sandbox: string, code: string): Promise<string> => {
  const done = await control.run(['sandbox', 'exec', sandbox, '--', 'python3', '-c', code], { token });
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
};

/** What the proxy says of two hosts, and what becomes of a connection past it. */
const LOOK = (target: string): string => `
import errno, json, os, socket, sys, time
def ask(target):
    try:
        with socket.create_connection(("localhost", 3128), 3) as sock:
            sock.settimeout(3)
            sock.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode())
            answer = sock.recv(4096).decode("latin-1")
            return answer.split(" ")[1] if answer else "closed"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
def direct():
    try:
        socket.create_connection(("203.0.113.5", 443), 1).close()
        return "reached"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
def look():
    return {"granted": ask("${target}"), "other": ask("example.org:443"), "direct": direct()}
`;

type Seen = { granted: string; other: string; direct: string };

test('the first packet of a sandbox is judged by its own grants, made on the spot or claimed from the pool', async () => {
  // Grants alternate, so that a sandbox that carried those of another would show.
  for (const number of [0, 1, 2, 3]) {
    const mayOut = number % 2 === 0;
    await create(`first-${number}`, ...(mayOut ? ['--egress', granted] : []));
    const seen = JSON.parse(await python(`first-${number}`, `${LOOK(granted)}\nprint(json.dumps(look()))`)) as Seen;
    const wanted = { granted: mayOut ? '200' : '403', other: '403', direct: 'ENETUNREACH' };
    assert.deepEqual(seen, wanted, `sandbox ${number}`);
    await control.run(['sandbox', 'delete', `first-${number}`, '--yes'], { token });
  }
});

test('the API of the control plane is reached neither directly nor through the proxy, even by who is granted it', async () => {
  const { host, port } = new URL(control.url);
  await create('caller', '--egress', host);
  const code = `${LOOK(host)}
def knock(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return "reached"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
print(json.dumps([ask("${host}"), ask("localhost:${port}"), knock(${port})]))`;
  assert.deepEqual(JSON.parse(await python('caller', code)), ['403', '403', 'ECONNREFUSED']);
  assert.equal((await fetch(`${control.url}/healthz`)).status, 200, 'it is there');
});

const WATCH = (target: string): string => `${LOOK(target)}
if os.fork() == 0:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    with open("/workspace/seen", "w", buffering=1) as file:
        while True:
            file.write(json.dumps(look()) + "\\n")
            time.sleep(0.2)
`;

test('while the control plane is dead nothing gets out, and when it is back the same policy holds', async () => {
  await create('watcher', '--egress', granted);
  await python('watcher', WATCH(granted));
  const seen = async (): Promise<Seen[]> => {
    const text = await python('watcher', 'print(open("/workspace/seen").read())');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Seen);
  };
  await until(async () => (await seen()).at(-1)?.granted === '200');
  process.kill(await control.pid(), 'SIGKILL');
  await sleep(2500);
  await control.json(['up', '--detach']);
  await until(async () => (await seen()).at(-1)?.granted === '200');
  const all = await seen();
  const ways = new Set(all.map((one) => one.granted));
  assert.ok(
    [...ways].some((way) => way !== '200'),
    `it was seen dead: ${[...ways]}`,
  );
  assert.ok(all.every((one) => one.other !== '200' && one.direct === 'ENETUNREACH'));
  assert.equal(all.at(-1)?.other, '403');
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, 'in time');
    await sleep(300);
  }
}

/** Host processes whose command line has a mark. */
const marked = (mark: string): number =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(mark);
    } catch {
      return false;
    }
  }).length;

const DAEMONS = (mark: string): string => `
import os, signal
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.closerange(0, 100)
            os.execve("/usr/bin/python3", ["${mark}", "-I", "-S", "-c", "import time; time.sleep(600)"], {})
        os._exit(0)
    os.wait()
`;

test('daemons that left everything behind end with the time of their sandbox, unasked', async () => {
  const mark = `beyond-its-time-${process.pid}`;
  const { id } = await create('short', '--ttl', '15s');
  await python('short', DAEMONS(mark));
  assert.equal(marked(mark), 3);
  await until(async () => marked(mark) === 0);
  await until(async () => (await stateOf(id)) !== 'running');
});

const stateOf = async (id: string): Promise<string> => {
  const { stdout, stderr } = await control.run(['sandbox', 'get', id, '--json'], { token });
  return stdout === '' ? stderr : (JSON.parse(stdout) as { state: string }).state;
};
