/** The egress proxy of a real sandbox: what was granted is reached, and a label that the sandbox gathers ends it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

let control: TestControlPlane;
let outside: Server;
let port = 0;
let token = '';
let folder = '';

before(async () => {
  outside = createServer((_request, response) => response.end('from outside'));
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  port = (outside.address() as AddressInfo).port;
  control = await startControlPlane({ FUMEHOOD_EGRESS_ALLOW_PRIVATE: `127.0.0.1:${port}` });
  token = await control.user('erin', 'engineer');
  folder = await mkdtemp(join(tmpdir(), 'fumehood-egress-'));
  await writeFile(join(folder, 'a.txt'), 'internal words');
  await control.json(['dataset', 'add', 'notes', folder, '--tag', 'internal'], { token });
});

after(async () => {
  outside?.close();
  outside?.closeAllConnections();
  await control?.close();
  await rm(folder, { recursive: true, force: true });
});

const python = (sandbox: string, code: string) =>
  control.run(['sandbox', 'exec', sandbox, '--', 'python3', '-c', code], { token });

const create = (name: string, ...flags: string[]) =>
  control.json(['sandbox', 'create', '--name', name, '--memory', '128m', '--disk', '64m', ...flags], { token });

const CONNECT = (target: string): string => `
import socket
proxy = socket.create_connection(("localhost", 3128), 5)
proxy.sendall(b"CONNECT ${target} HTTP/1.1\\r\\nHost: ${target}\\r\\n\\r\\n")
answer = proxy.recv(4096).decode()
print(answer)
`;

test('a host that was granted is reached, any other is refused with the command that would grant it', async () => {
  await create('granted', '--egress', `127.0.0.1:${port}`);
  const code = `
import http.client
proxy = http.client.HTTPConnection("localhost", 3128, timeout=5)
proxy.request("GET", "http://127.0.0.1:${port}/")
print(proxy.getresponse().read())`;
  const reached = await python('granted', code);
  assert.match(reached.stdout, /from outside/, reached.stderr);
  const other = await python('granted', CONNECT('example.org:443'));
  assert.match(other.stdout, /403/);
  assert.match(other.stdout, /--egress example\.org:443/);
});

test('a tunnel that is open when the sandbox reads labelled data is cut, and no new one opens', async () => {
  await create('reader', '--egress', `127.0.0.1:${port}`);
  const code = `${CONNECT(`127.0.0.1:${port}`)}
import urllib.request
proxy.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
print("before:", b"from outside" in proxy.recv(65536))
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(direct.open("http://localhost:9000/datasets/notes/1/a.txt").read())
proxy.settimeout(10)
try:
    proxy.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    left = proxy.recv(65536)
except OSError as error:
    left = b""
print("after:", left)
${CONNECT(`127.0.0.1:${port}`)}`;
  const done = await python('reader', code);
  assert.match(done.stdout, /before: True/, done.stdout + done.stderr);
  assert.match(done.stdout, /internal words/);
  assert.match(done.stdout, /after: b''/);
  assert.match(done.stdout, /403[\s\S]*labelled internal/i);
});
