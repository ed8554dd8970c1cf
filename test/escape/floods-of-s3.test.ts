/** Floods and slow clients of the S3 door, which streams what it takes and gives. */
import assert from 'node:assert/strict';
import { describeFloods, endlessHeaders, slowHeaders } from './flood.ts';

const MIB = 1024 * 1024;

describeFloods({
  door: 's3',
  prepare: `
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 9000, timeout=60)
for path, body in (("/flood", b""), ("/flood/small", b"small"), ("/flood/large", b"x" * (32 << 20))):
    connection.request("PUT", path, body)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, (path, answer.status)`,
  ask: `
connection = http.client.HTTPConnection("127.0.0.1", 9000, timeout=60)
def ask():
    connection.request("GET", "/flood/small")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"small"), answer.status`,
  floods: [
    slowHeaders(9000),
    endlessHeaders(9000),
    {
      title: 'objects that are written up to their last byte, and then stall',
      program: `
def begin(at):
    sock = door(9000)
    try:
        sock.sendall(b"PUT /flood/stalled-%d HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000001\\r\\n\\r\\n" % at)
        sock.sendall(b"a" * 1999999)
    except OSError: pass
    return sock
held = [begin(at) for at in range(200)]
print(json.dumps({"kept": settled(held, 48)}))`,
      proves: ({ kept = 99 }) =>
        assert.ok(kept > 0 && kept <= 48, `${kept} writes are kept, each with a frame of 1 MiB, of one sandbox`),
    },
    {
      title: 'lists of parts that are nearly whole, and then stall',
      program: `
def begin():
    sock = door(9000)
    try:
        sock.sendall(b"POST /flood?delete HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 4000000\\r\\n\\r\\n<Delete>")
        sock.sendall(b" " * 3900000)
    except OSError: pass
    return sock
held = [begin() for _ in range(64)]
print(json.dumps({"kept": settled(held, 13)}))`,
      proves: ({ kept = 99 }) => assert.ok(kept > 0 && kept <= 13, `${kept} lists of 3.9 MB are kept of one sandbox`),
    },
    {
      title: 'XML without an end',
      program: `
sock = door(9000)
sock.sendall(b"POST /flood?delete HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
sent = 0
try:
    while sent < 200000000:
        sock.sendall(b"10000\\r\\n" + b"<" * 65536 + b"\\r\\n")
        sent += 65536
except OSError: pass
print(json.dumps({"sent": sent}))`,
      proves: ({ sent = 1e9 }) => assert.ok(sent < 64 * MIB, `${sent} bytes were taken`),
    },
    {
      title: 'readers of large objects that read nothing',
      program: `
held = []
for _ in range(200):
    sock = door(9000)
    try: sock.sendall(b"GET /flood/large HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    except OSError: pass
    held.append(sock)
time.sleep(6)
held[0].settimeout(60)
read = 0
while read < 33554432:
    more = held[0].recv(1 << 20)
    if not more: break
    read += len(more)
print(json.dumps({"read": read}))`,
      // Whoever reads on gets the whole of it.
      proves: ({ read = 0 }) => assert.ok(read >= 32 * MIB, `a reader that went on got ${read} bytes`),
    },
    {
      title: 'half of each connection closed before its request is whole',
      program: `
held = []
for at in range(250):
    sock = door(9000)
    try:
        sock.sendall(b"PUT /flood/half-%d HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000\\r\\n\\r\\nabc" % at)
        sock.shutdown(socket.SHUT_WR)
    except OSError: pass
    held.append(sock)
print(json.dumps({"open": settled(held, 0)}))`,
      proves: ({ open }) => assert.equal(open, 0),
    },
    {
      title: 'requests as fast as they are answered, on 64 connections',
      program: `
import http.client
count = [0]
def work(until):
    connection = http.client.HTTPConnection("127.0.0.1", 9000, timeout=60)
    while time.time() < until:
        connection.request("PUT", "/flood/often-%d" % threading.get_ident(), b"x" * 2000)
        connection.getresponse().read()
        count[0] += 1
threads = [threading.Thread(target=work, args=(time.time() + 6,)) for _ in range(64)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"answered": count[0]}))`,
      proves: ({ answered = 0 }) => assert.ok(answered > 50, `only ${answered} were answered`),
    },
  ],
});
