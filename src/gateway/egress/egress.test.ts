import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { cleanUp, connectThrough, openEgress, read, until } from './egress-fixture.ts';

afterEach(cleanUp);

test('a granted tunnel carries bytes both ways; its opening and its end with the counts are in the log', async () => {
  const { proxy, port, entries, asked } = await openEgress();
  const { socket, head, status } = await connectThrough(proxy, `GOOD.example.:${port}`);
  assert.equal(status, 200);
  assert.match(head, /x-request-id: req-/);
  const echoed = read(socket, (text) => text.length === 5);
  socket.write('hello');
  assert.equal(await echoed, 'hello');
  socket.end();
  await until(() => entries.some((entry) => entry.action === 'egress.close'));
  const [opening, closing] = entries;
  assert.deepEqual(
    [opening?.action, opening?.outcome, opening?.object.id],
    ['egress.connect', 'ok', `good.example:${port}`],
  );
  assert.equal(opening?.decision?.allowed, true);
  assert.equal(opening?.details?.addresses, '127.0.0.1');
  assert.deepEqual([closing?.details?.bytesOut, closing?.details?.bytesIn, closing?.details?.reason], [5, 5, 'ended']);
  assert.deepEqual([closing?.requestId, closing?.details?.sandbox, entries.length], [opening?.requestId, 'sb-1', 2]);
  assert.equal(asked[0]?.resource, 'egress');
  assert.deepEqual(
    [asked[0]?.object.host, asked[0]?.object.port, asked[0]?.object.granted],
    ['good.example', port, true],
  );
});

test('without a grant it is refused with the rule, its decision id and no look-up of the name', async () => {
  const { proxy, port, entries, resolved, policy } = await openEgress({ grants: () => [] });
  policy.allows = (question) => question.object.granted === true;
  const { head, status } = await connectThrough(proxy, `good.example:${port}`);
  assert.equal(status, 403);
  assert.match(head, /no rule allows egress.connect on good.example/);
  assert.match(head, /"decisionId":"decision-/);
  policy.allows = () => true;
  const other = await connectThrough(proxy, `good.example:${port}`);
  assert.match(
    other.head,
    /403[\s\S]*was not granted/,
    'a policy that forgets to ask for the grant does not open the wall',
  );
  assert.deepEqual(resolved, []);
  assert.deepEqual(
    entries.map((entry) => entry.outcome),
    ['denied', 'failed'],
  );
});

test('a grant is for its port only, and for no other name', async () => {
  const { proxy, port } = await openEgress();
  for (const authority of [`good.example:${port + 1}`, `sub.good.example:${port}`, `127.0.0.1:${port}`])
    assert.equal((await connectThrough(proxy, authority)).status, 403, authority);
});

const BAD_ADDRESSES = [
  '127.0.0.2',
  '10.1.2.3',
  '169.254.169.254',
  '100.64.0.1',
  '::1',
  '::ffff:127.0.0.2',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '64:ff9b::a00:1',
  '0.0.0.0',
  '203.0.114.5',
  '::ffff:203.0.114.5',
  'nonsense',
];

test('a name is refused when any of its addresses is not the public internet, in any notation, or is of this host', async () => {
  const names = Object.fromEntries(
    BAD_ADDRESSES.map((address, index) => [`n${index}.example`, ['127.0.0.1', address]]),
  );
  const { proxy, port, entries } = await openEgress({ names });
  for (const [name, addresses] of Object.entries(names)) {
    const { status, head } = await connectThrough(proxy, `${name}:${port}`);
    assert.equal(status, 403, addresses.join(' '));
    assert.match(head, /leads to/);
  }
  assert.ok(entries.every((entry) => entry.outcome === 'failed' && entry.decision?.allowed === true));
});

test('addresses given as numbers are refused even when a spec grants them', async () => {
  const hosts = ['127.0.0.2', '0x7f.2', '2130706434', '[::1]', '[::ffff:10.0.0.1]', '169.254.169.254', '0'];
  const { proxy, port } = await openEgress({ grants: (port) => hosts.map((host) => ({ host, port })) });
  for (const host of hosts) assert.equal((await connectThrough(proxy, `${host}:${port}`)).status, 403, host);
});

test('it dials what it resolved: a name that changes its address in between is not looked up again', async () => {
  const { proxy, port, resolved } = await openEgress();
  await connectThrough(proxy, `good.example:${port}`);
  assert.deepEqual(resolved, ['good.example']);
});

const tlsClient = (socket: Socket, servername: string) =>
  connectTls({ socket, rejectUnauthorized: false, ...(servername === '' ? {} : { servername }) }).on(
    'error',
    () => undefined,
  );

test('TLS must name the granted host: another name, or none, ends the tunnel before a byte goes out', async () => {
  const received: Buffer[] = [];
  const target = createServer((socket) => socket.on('data', (chunk) => received.push(chunk)));
  const { proxy, port, entries } = await openEgress({ target });
  for (const servername of ['evil.example', 'sub.good.example', '']) {
    const { socket } = await connectThrough(proxy, `good.example:${port}`);
    const before = entries.length;
    tlsClient(socket, servername);
    await once(socket, 'close');
    await until(() => entries.length > before);
    assert.equal(entries.at(-1)?.outcome, 'denied');
    assert.match(String(entries.at(-1)?.details?.reason), /where good.example was granted/);
  }
  assert.equal(received.length, 0);
  const { socket } = await connectThrough(proxy, `good.example:${port}`);
  tlsClient(socket, 'good.example');
  await until(() => received.length > 0);
  assert.equal(received[0]?.[0], 22);
});

test('a host that speaks first is heard before the client has said anything', async () => {
  const { proxy, port } = await openEgress({ target: createServer((socket) => socket.write('220 ready\r\n')) });
  const { socket, head } = await connectThrough(proxy, `good.example:${port}`);
  const greeting = head.includes('220') ? head : await read(socket, (text) => text.includes('220'));
  assert.match(greeting, /220 ready/);
});

test('when a sandbox gathers a label its tunnels end, and it is not let out again', async () => {
  const { proxy, port, door, database, lineage, policy, entries } = await openEgress();
  const { socket } = await connectThrough(proxy, `good.example:${port}`);
  await database.transaction((tx) => lineage.addLabels(tx, { kind: 'sandbox', id: 'sb-1' }, ['PHI']));
  policy.allows = (_question, subject) => subject.labels.length === 0;
  const closed = once(socket, 'close');
  door.closeTunnels('sb-1');
  await closed;
  await until(() => entries.some((entry) => entry.details?.reason === 'closed by the gateway'));
  assert.equal((await connectThrough(proxy, `good.example:${port}`)).status, 403);
});

test('a sandbox has no more tunnels than its bound, and an idle one ends', async () => {
  const { proxy, port, entries } = await openEgress({ config: { maxTunnelsPerSandbox: 1, idleTimeoutMs: 150 } });
  const options = `good.example:${port}`;
  const { socket } = await connectThrough(proxy, options);
  assert.equal((await connectThrough(proxy, options)).status, 429);
  await once(socket, 'close');
  await until(() => entries.some((entry) => entry.details?.reason === 'idle'));
  assert.equal((await connectThrough(proxy, options)).status, 200);
});

test('unreadable targets and a dead host are answered in words, and audited', async () => {
  const { proxy, port, entries } = await openEgress({ names: { 'dead.example': ['127.0.0.1'], 'gone.example': [] } });
  for (const authority of ['user@good.example:80', 'good.example', 'b\u00fccher.example:80', '[fe80::1%25lo]:80'])
    assert.match((await connectThrough(proxy, Buffer.from(authority).toString('latin1'))).head, /^HTTP\/1.1 400/);
  assert.equal((await connectThrough(proxy, `gone.example:${port}`)).status, 502);
  assert.ok(entries.length >= 2);
  assert.ok(entries.every((entry) => entry.outcome !== 'ok'));
});
