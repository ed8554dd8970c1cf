/** Floods and slow clients of the way out, to a host that is granted: slow, silent or without an end itself. */
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { describeFloods, endlessHeaders, MOST_CONNECTIONS, slowHeaders } from './flood.ts';

const MIB = 1024 * 1024;
/** Most ways out of one sandbox that are open at once. */
const MOST_TUNNELS = 64;

const ENDLESS = Buffer.alloc(64 * 1024, 97);

/** A host outside: `/ok` is answered, `/endless` without an end; of anything else nothing is read beyond its first bytes. */
async function openOutside(): Promise<{ server: Server; port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', (bytes: Buffer) => {
      const line = bytes.toString('latin1');
      if (line.startsWith('GET /ok')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
      else if (line.startsWith('GET /endless')) sendOn(socket);
      else socket.pause();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0, close };
}

function sendOn(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n');
  const more = (): void => {
    while (socket.writable && socket.write(ENDLESS));
  };
  socket.on('drain', more);
  more();
}

const CONNECT = `
def tunnel():
    sock = door(3128)
    try:
        sock.sendall(b"CONNECT %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n" % (WORD.encode(), WORD.encode()))
    except OSError: pass
    return sock
`;

describeFloods({
  door: 'egress',
  open: async () => {
    const { port, close } = await openOutside();
    const word = `127.0.0.1:${port}`;
    return { settings: { FUMEHOOD_EGRESS_ALLOW_PRIVATE: word }, create: ['--egress', word], word, close };
  },
  ask: `
def ask():
    connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=60)
    connection.request("GET", "http://%s/ok" % WORD)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"ok"), answer.status
    connection.close()`,
  floods: [
    slowHeaders(3128),
    endlessHeaders(3128),
    {
      title: 'tunnels that are opened and say nothing',
      program: `${CONNECT}
held = [tunnel() for _ in range(200)]
said = [status(sock) for sock in held]
time.sleep(2)
print(json.dumps({"opened": said.count("200"), "refused": said.count("429"), "open": sum(code == "200" and not closed(sock) for code, sock in zip(said, held))}))`,
      proves: ({ opened = 999, refused = 0, open = 0 }) => {
        assert.ok(open > 0 && opened <= MOST_TUNNELS, `${opened} tunnels of one sandbox were opened`);
        assert.equal(opened + refused, 200);
      },
    },
    {
      title: 'tunnels whose bytes the host does not take',
      program: `${CONNECT}
sent = [0]
def work():
    sock = tunnel()
    if status(sock) != "200": return
    sock.settimeout(4)
    try:
        while sent[0] < 2000000000:
            sent[0] += sock.send(b"a" * 65536)
    except OSError: pass
    time.sleep(2)
threads = [threading.Thread(target=work) for _ in range(40)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"sent": sent[0]}))`,
      proves: ({ sent = 1e10 }) =>
        assert.ok(sent > MIB && sent < 1000 * MIB, `${sent} bytes were taken that nobody reads`),
    },
    {
      title: 'a body without an end for a host that does not take it',
      program: `
sock = door(3128)
sock.sendall(b"POST http://%s/none HTTP/1.1\\r\\nHost: %s\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n" % (WORD.encode(), WORD.encode()))
sent = 0
sock.settimeout(5)
try:
    while sent < 200000000:
        sock.sendall(b"10000\\r\\n" + b"a" * 65536 + b"\\r\\n")
        sent += 65536
except OSError: pass
print(json.dumps({"sent": sent}))`,
      proves: ({ sent = 1e9 }) => assert.ok(sent < 64 * MIB, `${sent} bytes were taken that nobody reads`),
    },
    {
      title: 'answers without an end that nobody reads',
      program: `
held = []
for _ in range(20):
    sock = door(3128)
    try: sock.sendall(b"GET http://%s/endless HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n" % (WORD.encode(), WORD.encode()))
    except OSError: pass
    held.append(sock)
time.sleep(6)
said = [status(sock) for sock in held]
print(json.dumps({code: said.count(code) for code in said}))`,
      proves: ({ 200: answered = 0 }) => assert.ok(answered > 0, 'no answer had begun'),
    },
    {
      title: 'half of each tunnel closed',
      program: `${CONNECT}
held = []
for _ in range(120):
    sock = tunnel()
    if status(sock) == "200": sock.sendall(b"hello")
    sock.shutdown(socket.SHUT_WR)
    held.append(sock)
time.sleep(2)
print(json.dumps({"open": sum(not closed(sock) for sock in held)}))`,
      proves: ({ open = 999 }) => assert.ok(open <= MOST_CONNECTIONS, `${open} connections of one sandbox are open`),
    },
  ],
});
