/** A sandbox whose agent is not ours: what it says at its start is not believed, and nothing of it is left. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { openSealedWorld } from '#src/escape/sealed-world.ts';

const PYTHON = join(import.meta.dirname, '../../python');

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood-liars-'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** The sources with another agent: it takes connections on the agent's socket and does this with each. */
function withAgent(name: string, behaviour: string): string {
  const pythonDir = join(folder, name);
  mkdirSync(join(pythonDir, 'fumehood_agent'), { recursive: true });
  cpSync(join(PYTHON, 'fumehood_helper'), join(pythonDir, 'fumehood_helper'), { recursive: true });
  writeFileSync(
    join(pythonDir, 'fumehood_agent', '__main__.py'),
    `
import json, os, socket
listener = socket.socket(fileno=3)
def frame(kind, payload):
    return kind + len(payload).to_bytes(4, "big") + payload
while True:
    sock, _ = listener.accept()
    sock.recv(65536)
    ${behaviour}
    sock.close()
`,
  );
  return pythonDir;
}

const LIARS = {
  'speaks no protocol at all': 'sock.sendall(os.urandom(4096))',
  'speaks another version': 'sock.sendall(frame(b"J", json.dumps({"ok": {"protocol": 99}}).encode()))',
  'answers out of turn': 'sock.sendall(frame(b"O", b"output of nothing"))',
  'hangs up': 'pass',
  'ends at once': 'os._exit(0)',
  floods: 'sock.sendall(frame(b"J", json.dumps({"part": "x" * 200000}).encode()) * 400)',
};

for (const [what, behaviour] of Object.entries(LIARS)) {
  test(`a sandbox whose agent ${what} does not start, and leaves nothing`, async () => {
    const world = await openSealedWorld({ pythonDir: withAgent(what.replaceAll(' ', '-'), behaviour) });
    try {
      await assert.rejects(world.start('liar'), (error: unknown) => {
        assert.ok(error instanceof AppError && error.code === 'unavailable', String(error));
        return true;
      });
    } finally {
      assert.deepEqual(await world.close(), []);
    }
  });
}

test('the honest agent starts in its place', async () => {
  const world = await openSealedWorld({ pythonDir: PYTHON });
  try {
    const handle = await world.start('honest');
    assert.equal((await world.python(handle, 'print("alive")')).stdout, 'alive\n');
  } finally {
    assert.deepEqual(await world.close(), []);
  }
});
