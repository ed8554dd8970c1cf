/** Floods of a door from inside a sealed sandbox, and what a neighbour feels of them at the same door. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

/** Generous: the machine is shared, and what is looked for is a neighbour that waits for the flood. */
const SLOWER = 25;
const AT_LEAST_MS = 400;
const MOST_GROWTH_KB = 300 * 1024;

/** What the programs inside share. */
const PRELUDE = `
import json, socket, sys, threading, time
WORD = sys.argv[-1]
def door(port):
    return socket.create_connection(("127.0.0.1", port), 10)
def status(sock):
    try:
        sock.settimeout(15)
        return (sock.recv(4096).split(b" ") + [b"", b"0"])[1].decode() or "closed"
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
def settled(socks, most):
    "How many are open, once that is at most so many; or after a minute."
    until = time.time() + 60
    while time.time() < until:
        if sum(not closed(sock) for sock in socks) <= most: break
        time.sleep(0.2)
    return sum(not closed(sock) for sock in socks)
`;

export type Flood = {
  title: string;
  /** Python; prints what it saw as JSON. */
  program: string;
  /** Asserts that what the flood saw is bounded. */
  proves: (said: Record<string, number>) => void;
};

/** What is there once it is opened; `word` is the last argument of every program. */
type Opened = { settings?: Record<string, string>; create?: string[]; word?: string; close?: () => void };

type Site = {
  door: string;
  /** Python that defines `ask()`: one request of the neighbour, its answer asserted. */
  ask: string;
  floods: readonly Flood[];
  /** Python that makes ready what `ask` and the floods work on. */
  prepare?: string;
  open?: () => Promise<Opened>;
};

const measuring = (ask: string): string => `
import http.client
${ask}
took = []
for _ in range(int(sys.argv[1])):
    began = time.time()
    ask()
    took.append((time.time() - began) * 1000)
    time.sleep(0.05)
print(sorted(took)[len(took) // 2])`;

/** Registers a test for each flood of a door. */
export function describeFloods({ door, ask, floods, prepare, open }: Site): void {
  describe(`a flood of the door ${door} from inside a sandbox`, () => {
    let control: TestControlPlane;
    let opened: Opened = {};
    let quietMs: number;
    before(async () => {
      opened = (await open?.()) ?? {};
      control = await startControlPlane(opened.settings);
      const words = ['--memory', '512m', '--disk', '64m', '--ttl', '30m', ...(opened.create ?? [])];
      for (const name of ['flooding', 'neighbour']) await control.json(['sandbox', 'create', '--name', name, ...words]);
      if (prepare !== undefined) await inside('flooding', prepare);
      quietMs = await neighbour(40);
    });
    after(async () => {
      await control?.close();
      opened.close?.();
    });

    const inside = async (sandbox: string, program: string, ...words: string[]): Promise<string> => {
      const argv = ['python3', '-c', PRELUDE + program, ...words, opened.word ?? ''];
      const done = await control.run(['sandbox', 'exec', sandbox, '--', ...argv]);
      assert.equal(done.code, 0, done.stderr);
      return done.stdout;
    };
    /** The neighbour's median time for a request, in ms. */
    const neighbour = async (count: number): Promise<number> =>
      Number(await inside('neighbour', measuring(ask), String(count)));
    const memoryKb = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${await control.pid()}/status`, 'utf8'))?.[1]);

    for (const { title, program, proves } of floods) {
      it(`is bounded, and the neighbour is served: ${title}`, async (t) => {
        const beforeKb = await memoryKb();
        const flooding = inside('flooding', program);
        const meanwhile = await neighbour(60);
        const grownKb = (await memoryKb()) - beforeKb;
        const said = await flooding;
        t.diagnostic(
          `neighbour ${quietMs.toFixed(1)} ms, meanwhile ${meanwhile.toFixed(1)} ms; memory ${grownKb} kB more; ${said.trim()}`,
        );
        proves(JSON.parse(said) as Record<string, number>);
        assert.ok(
          meanwhile <= Math.max(SLOWER * quietMs, AT_LEAST_MS),
          `the neighbour waits ${meanwhile} ms for what took ${quietMs} ms`,
        );
        assert.ok(grownKb <= MOST_GROWTH_KB, `the control plane grew by ${grownKb} kB`);
        assert.ok((await neighbour(5)) > 0);
      });
    }
  });
}

/** Most connections of one sandbox, over all doors. */
export const MOST_CONNECTIONS = 256;

/** Request heads that never get whole, on more connections than a sandbox has. */
export const slowHeaders = (port: number): Flood => ({
  title: 'headers that come a byte at a time, on more connections than a sandbox has',
  program: `
held = [door(${port}) for _ in range(400)]
for _ in range(16):
    for sock in held:
        try: sock.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nX-" if _ == 0 else b"a")
        except OSError: pass
    time.sleep(0.5)
print(json.dumps({"open": settled(held, ${MOST_CONNECTIONS})}))`,
  proves: ({ open = 999 }) => assert.ok(open <= MOST_CONNECTIONS, `${open} connections of one sandbox are open`),
});

export const endlessHeaders = (port: number): Flood => ({
  title: 'headers without an end',
  program: `
answers = {}
for _ in range(200):
    sock = door(${port})
    try:
        sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n" + b"X-A: " + b"a" * 1048576)
    except OSError: pass
    said = status(sock)
    answers[said] = answers.get(said, 0) + 1
    sock.close()
print(json.dumps({"refused": answers.get("431", 0) + answers.get("closed", 0)}))`,
  proves: ({ refused }) => assert.equal(refused, 200),
});
