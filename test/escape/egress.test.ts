/** The one way out, attacked from inside a sealed sandbox: everything below is granted by the sandbox's spec, and refused for what it is. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import type { Handle } from '#src/drivers/driver.ts';
import { type Outcome, outcomeOf, programOf } from '#src/escape/attack.ts';
import { openSealedWorld, type SealedWorld } from '#src/escape/sealed-world.ts';
import { createEgressDoor } from '#src/gateway/egress/egress-door.ts';
import { createIdentify } from '#src/gateway/identify.ts';
import { createListeners, type Listeners } from '#src/gateway/listeners.ts';
import { openTestGateway, sandboxOf, type TestGateway } from '#src/gateway/test-gateway.ts';

const SANDBOXES = ['sb-out', 'sb-beside'];
const GRANTED = 'granted.example';

let world: SealedWorld;
let handle: Handle;
let gateway: TestGateway;
let listeners: Listeners;
let outside: Server;
/** Ports of a host outside that the operator excepted, and of a service on this host's loopback, as the control plane is one. */
let outsidePort: number;
let hostPort: string;
let served = true;
/** What reached the host outside. */
const heard: Buffer[] = [];

before(async () => {
  world = await openSealedWorld({ doors: { egress: 3128 } });
  gateway = await openTestGateway();
  hostPort = world.env.HOST_PORT ?? '';
  outside = createServer((socket) => {
    socket.on('error', () => undefined).on('data', (bytes: Buffer) => heard.push(bytes));
    socket.write('here\n');
  });
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  const address = outside.address();
  outsidePort = typeof address === 'object' && address !== null ? address.port : 0;
  const log = createLog(() => undefined);
  const door = createEgressDoor({
    ...gateway,
    identify: createIdentify({
      sandboxIdentity: (id) => (SANDBOXES.includes(id) ? sandboxOf(id, 'ada') : undefined),
      authenticateToken: async () => sandboxOf('nobody', 'nobody'),
    }),
    grantsOf: () => grants(),
    log,
    config: { allowPrivate: [`127.0.0.1:${outsidePort}`], dialTimeoutMs: 1000 },
    resolve: resolver(),
  });
  listeners = createListeners({ doors: [door], isServed: () => served, log, ids: randomIds });
  world.driver.onConnection((connection) => listeners.acceptSandbox(connection));
  handle = await world.start('out');
});

after(async () => {
  await listeners.close();
  outside.close();
  await gateway.close();
  assert.deepEqual(await world.close(), [], 'something was left on the host');
});

/** Whatever the sandbox asks for: only what an address is stands between it and the target. */
function grants(): { host: string; port: number }[] {
  const hosts =
    `${GRANTED} inner.example mixed.example rebinding.example localhost 127.0.0.1 127.1 0.0.0.0 2130706433 0x7f000001 [::1]
    [::ffff:127.0.0.1] 169.254.169.254 2852039166 0251.0376.0251.0376 [::ffff:169.254.169.254] [fd00:ec2::254]`.split(
      /\s+/,
    );
  return hosts.flatMap((host) => [outsidePort, Number(hostPort), 80].map((port) => ({ host, port })));
}

/** All the name service there is; one name changes its address with every question. */
function resolver(): (host: string) => Promise<string[]> {
  let asked = 0;
  return async (host) => {
    if (host === GRANTED || host === 'inner.example' || host === 'localhost') return ['127.0.0.1'];
    if (host === 'mixed.example') return ['203.0.114.9', '169.254.169.254'];
    if (host !== 'rebinding.example') throw new Error('ENOTFOUND');
    asked += 1;
    return asked % 2 === 1 ? ['127.0.0.1'] : ['203.0.114.9'];
  };
}

/** The first bytes of a TLS client that wants this host. */
function clientHello(servername: string): Promise<string> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => undefined, write: (bytes: Buffer) => resolve(bytes.toString('latin1')) });
    connectTls({ socket: wire, ...(servername === '' ? {} : { servername }) }).on('error', () => undefined);
  });
}

const CONNECT = `
with socket.create_connection(("127.0.0.1", 3128), 5) as sock:
    sock.settimeout(5)
    target = os.environ["TARGET"].encode().decode("unicode_escape").encode("latin-1")
    sock.sendall(b"CONNECT " + target + b" HTTP/1.1\\r\\nhost: " + target + b"\\r\\n\\r\\n")
    answer = b""
    while b"\\r\\n\\r\\n" not in answer:
        more = sock.recv(4096)
        if not more:
            break
        answer += more
    status = answer.split(b" ")[1].decode() if answer else "no answer"
    if status != "200":
        refused(status)
    rest = answer.split(b"\\r\\n\\r\\n", 1)[1] or sock.recv(100)
    succeeded() if rest.startswith(b"here") else refused("nothing behind it")
`;

async function connect(target: string, from = handle): Promise<Outcome> {
  const env = { TARGET: target };
  const ended = await world.python(from, `os.environ.update(${JSON.stringify(env)})\n${programOf(CONNECT)}`);
  return outcomeOf(ended);
}

/** The control of every attack below: the same script reaches what is granted and public. */
const reachesWhatIsGranted = async (): Promise<void> =>
  assert.deepEqual(await connect(`${GRANTED}:${outsidePort}`), { outcome: 'succeeded', why: '' });

async function refuses(target: string, ...statuses: string[]): Promise<void> {
  const { outcome, why } = await connect(target);
  assert.equal(outcome, 'refused', `${target} was reached`);
  assert.ok(statuses.includes(why), `${target}: stopped by ${why}`);
}

test('what was not granted is refused: another name, another port of a granted one', async () => {
  await refuses(`other.example:${outsidePort}`, '403');
  await refuses(`${GRANTED}:${outsidePort + 1}`, '403');
  await reachesWhatIsGranted();
});

test("the control plane and every other service on the host's loopback is refused in every notation, even when granted", async () => {
  for (const host of [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '127.1',
    '2130706433',
    '0x7f000001',
    '[::ffff:127.0.0.1]',
  ])
    await refuses(`${host}:${hostPort}`, '403', '400', '422');
  await reachesWhatIsGranted();
});

test('a granted name that leads to the host or to a metadata service is refused, also when only one of its addresses does', async () => {
  await refuses(`inner.example:${hostPort}`, '403');
  await refuses('mixed.example:80', '403');
  await refuses(`rebinding.example:${hostPort}`, '403');
  await reachesWhatIsGranted();
});

test('the metadata service of a cloud is refused in every notation, even when granted', async () => {
  for (const host of [
    '169.254.169.254',
    '2852039166',
    '0251.0376.0251.0376',
    '[::ffff:169.254.169.254]',
    '[fd00:ec2::254]',
  ])
    await refuses(`${host}:80`, '403', '400', '422');
  await reachesWhatIsGranted();
});

test('names with NUL, encoded, foreign or user parts are not taken for the granted one', async () => {
  const at = `:${outsidePort}`;
  for (const host of [
    `${GRANTED}\\x00.other.example`,
    `${GRANTED}%00.other.example`,
    `${GRANTED}@other.example`,
    `other.example#${GRANTED}`,
    'gr\\xc3\\xa4nted.example',
    `${GRANTED}..`,
    `[${GRANTED}]`,
  ])
    await refuses(`${host}${at}`, '403', '400', '422', 'no answer');
  await reachesWhatIsGranted();
});

/** Sends bytes to the proxy from the sandbox and says what came back, and what the outside heard meanwhile. */
async function send(request: string): Promise<{ answer: string; heard: string }> {
  heard.length = 0;
  const script = `
with socket.create_connection(("127.0.0.1", 3128), 5) as sock:
    sock.settimeout(2)
    sock.sendall(bytes.fromhex(os.environ["REQUEST"]))
    answer = b""
    try:
        while more := sock.recv(4096):
            answer += more
    except TimeoutError:
        pass
    succeeded(answer.decode("latin-1"))`;
  const env = { REQUEST: Buffer.from(request, 'latin1').toString('hex') };
  const ended = await world.python(handle, `os.environ.update(${JSON.stringify(env)})\n${programOf(script)}`);
  return { answer: outcomeOf(ended).why, heard: Buffer.concat(heard).toString('latin1') };
}

const connectHead = (target: string): string => `CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`;

test('line breaks in a target, a header or a method bring in no request of their own', async () => {
  const granted = `${GRANTED}:${outsidePort}`;
  for (const request of [
    `CONNECT other.example:80\r\nX: HTTP/1.1\r\nhost: ${granted}\r\n\r\n`,
    `CONNECT ${granted}\rGET http://other.example/ HTTP/1.1\r\nhost: ${granted}\r\n\r\n`,
    `GET http://${granted}/%0d%0aHost:%20other.example HTTP/1.1\r\nhost: other.example\r\nconnection: close\r\n\r\n`,
    `GET http://${granted}/ HTTP/1.1\r\nhost: ${granted}\r\n X: folded\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n`,
  ]) {
    const { answer, heard } = await send(request);
    assert.match(answer, /^HTTP\/1\.1 4\d\d/, `${JSON.stringify(request)}: ${answer}`);
    assert.equal(heard, '');
  }
  await reachesWhatIsGranted();
});

test('a Host that differs from the target is refused before a byte goes out', async () => {
  const granted = `${GRANTED}:${outsidePort}`;
  for (const host of ['other.example', `other.example:${outsidePort}`, '169.254.169.254', `${granted}@other.example`]) {
    const request = `GET http://${granted}/ HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
    const { answer, heard } = await send(request);
    assert.match(answer, /^HTTP\/1\.1 400/, host);
    assert.equal(heard, '');
  }
  const { heard } = await send(`GET http://${granted}/ HTTP/1.1\r\nhost: ${granted}\r\nconnection: close\r\n\r\n`);
  assert.match(heard, /^GET \/ HTTP\/1\.1/);
});

test('TLS that names another host than the granted one, or none, ends the tunnel before a byte goes out', async () => {
  for (const name of ['other.example', `deep.${GRANTED}`, '']) {
    const { answer, heard } = await send(connectHead(`${GRANTED}:${outsidePort}`) + (await clientHello(name)));
    assert.doesNotMatch(answer, /here/, name);
    assert.equal(heard, '', name);
  }
  const { heard } = await send(connectHead(`${GRANTED}:${outsidePort}`) + (await clientHello(GRANTED)));
  assert.match(heard, /granted\.example/);
});

test('a second CONNECT, behind the first or inside its tunnel, is bytes for the host and no second way out', async () => {
  const before = gateway.entries.length;
  const relayed = connectHead(`other.example:${outsidePort}`);
  const { heard } = await send(connectHead(`${GRANTED}:${outsidePort}`) + relayed);
  assert.equal(heard, relayed, 'the granted host alone gets it, as it stands');
  assert.doesNotMatch(JSON.stringify(gateway.entries.slice(before)), /other\.example/);
  await refuses('localhost:3128', '403');
  await refuses('127.0.0.1:3128', '403');
});

test('with the gateway not serving it, a sandbox reaches nothing at all', async () => {
  served = false;
  try {
    await refuses(`${GRANTED}:${outsidePort}`, 'no answer', 'ECONNRESET', 'EPIPE');
    const direct = await world.python(
      handle,
      programOf(`each(["203.0.113.5", "2001:db8::5", "169.254.169.254"], lambda host: reach(host, 443))`),
    );
    assert.deepEqual(outcomeOf(direct), { outcome: 'refused', why: 'ENETUNREACH' });
  } finally {
    served = true;
  }
  await reachesWhatIsGranted();
});

test('a flood of connections that say nothing is turned away, and a neighbour is served as before', async () => {
  const beside = await world.start('beside');
  const flood = `
import select
held = [socket.create_connection(("127.0.0.1", 3128), 5) for _ in range(600)]
time.sleep(1)
poll = select.poll()
for sock in held:
    poll.register(sock, select.POLLIN)
closed = poll.poll(0)
time.sleep(1)
refused("turned away") if len(closed) >= 300 else succeeded(len(held) - len(closed))`;
  const flooding = world.python(handle, programOf(flood));
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.equal((await connect(`${GRANTED}:${outsidePort}`, beside)).outcome, 'succeeded');
  assert.deepEqual(outcomeOf(await flooding), { outcome: 'refused', why: 'turned away' });
  assert.deepEqual(await world.destroy(beside), []);
  await reachesWhatIsGranted();
});

test('every attempt is in the log: who, where to, and that it was denied', async () => {
  const before = gateway.entries.length;
  await refuses(`other.example:${outsidePort}`, '403');
  const entries = JSON.stringify(gateway.entries.slice(before));
  assert.match(entries, /other\.example/);
  assert.match(entries, /denied/);
  await reachesWhatIsGranted();
});
