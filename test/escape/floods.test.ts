/** Floods of the doors, from inside a sealed sandbox: they are bounded for the sandbox that floods, and a neighbour goes on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

/** Generous: the machine is shared, and what is looked for is a neighbour that waits for the flood. */
const SLOWER = 25;
const AT_LEAST_MS = 400;
const MOST_GROWTH_KB = 300 * 1024;

const PRELUDE = `
import json, socket, sys, threading, time
def door(port):
    return socket.create_connection(("127.0.0.1", port), 10)
def status(sock):
    try:
        sock.settimeout(15)
        return (sock.recv(64).split(b" ") + [b"", b"0"])[1].decode() or "closed"
    except OSError:
        return "closed"
def closed(sock):
    "Closed, or answered before it was done."
    sock.setblocking(False)
    try:
        sock.recv(1)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
`;

type Flood = { title: string; program: string; proves: (said: Record<string, number>) => void };

const FLOODS: Flood[] = [
  {
    title: 'headers that come a byte at a time, on more connections than a sandbox has',
    program: `
held = [door(5000) for _ in range(400)]
for _ in range(16):
    for sock in held:
        try: sock.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nX-" if _ == 0 else b"a")
        except OSError: pass
    time.sleep(0.5)
print(json.dumps({"open": sum(not closed(sock) for sock in held)}))`,
    proves: ({ open = 999 }) => assert.ok(open <= 256, `${open} connections of one sandbox are open`),
  },
  {
    title: 'headers without an end',
    program: `
answers = {}
for _ in range(200):
    sock = door(8200)
    try:
        sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n" + b"X-A: " + b"a" * 1048576)
    except OSError: pass
    said = status(sock)
    answers[said] = answers.get(said, 0) + 1
    sock.close()
print(json.dumps({"refused": answers.get("431", 0) + answers.get("closed", 0)}))`,
    proves: ({ refused }) => assert.equal(refused, 200),
  },
  {
    title: 'bodies that are nearly whole, and then stall',
    program: `
def begin():
    sock = door(5000)
    head = "POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: 16000000\\r\\n\\r\\n"
    try:
        sock.sendall(head.encode() + b'{"a":"')
        for _ in range(15): sock.sendall(b"a" * 1000000)
    except OSError: pass
    return sock
held = [begin() for _ in range(24)]
time.sleep(4)
print(json.dumps({"kept": sum(not closed(sock) for sock in held)}))`,
    proves: ({ kept = 99 }) => assert.ok(kept <= 4, `${kept} bodies of 15 MB are kept of one sandbox`),
  },
  {
    title: 'a chunked body that never ends',
    program: `
sock = door(8200)
sock.sendall(b"POST /v1/secret/data/a HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
sent = 0
try:
    while sent < 200000000:
        sock.sendall(b"10000\\r\\n" + b"a" * 65536 + b"\\r\\n")
        sent += 65536
except OSError: pass
print(json.dumps({"sent": sent}))`,
    proves: ({ sent = 1e9 }) => assert.ok(sent < 200_000_000, 'all of 200 MB was taken'),
  },
  {
    title: 'requests as fast as they are answered, on 64 connections',
    program: `
import http.client
count = [0]
def work(until):
    connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=60)
    while time.time() < until:
        connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
        connection.getresponse().read()
        count[0] += 1
threads = [threading.Thread(target=work, args=(time.time() + 8,)) for _ in range(64)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"answered": count[0]}))`,
    proves: ({ answered = 0 }) => assert.ok(answered > 100, `only ${answered} were answered`),
  },
];

const MEASURE = `${PRELUDE}
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=60)
took = []
for _ in range(int(sys.argv[1])):
    began = time.time()
    connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    took.append((time.time() - began) * 1000)
    time.sleep(0.05)
print(sorted(took)[len(took) // 2])`;

describe('a flood from inside a sandbox', () => {
  let control: TestControlPlane;
  let quietMs: number;
  before(async () => {
    control = await startControlPlane();
    for (const name of ['flooding', 'neighbour'])
      await control.json(['sandbox', 'create', '--name', name, '--memory', '512m', '--disk', '64m', '--ttl', '30m']);
    quietMs = await neighbour(40);
  });
  after(() => control.close());

  const inside = async (sandbox: string, program: string, ...words: string[]): Promise<string> => {
    const done = await control.run(['sandbox', 'exec', sandbox, '--', 'python3', '-c', program, ...words]);
    assert.equal(done.code, 0, done.stderr);
    return done.stdout;
  };
  /** The neighbour's median time for a request, in ms. */
  const neighbour = async (count: number): Promise<number> => Number(await inside('neighbour', MEASURE, String(count)));
  const memoryKb = async (): Promise<number> =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${await control.pid()}/status`, 'utf8'))?.[1]);

  for (const { title, program, proves } of FLOODS) {
    it(`is bounded, and the neighbour is served: ${title}`, async (t) => {
      const beforeKb = await memoryKb();
      const flooding = inside('flooding', PRELUDE + program);
      const meanwhile = await neighbour(60);
      const grownKb = (await memoryKb()) - beforeKb;
      proves(JSON.parse(await flooding) as Record<string, number>);
      t.diagnostic(
        `neighbour ${quietMs.toFixed(1)} ms, meanwhile ${meanwhile.toFixed(1)} ms; memory ${grownKb} kB more`,
      );
      assert.ok(
        meanwhile <= Math.max(SLOWER * quietMs, AT_LEAST_MS),
        `the neighbour waits ${meanwhile} ms for what took ${quietMs} ms`,
      );
      assert.ok(grownKb <= MOST_GROWTH_KB, `the control plane grew by ${grownKb} kB`);
      assert.ok((await neighbour(5)) > 0);
    });
  }
});
