/** Floods of the doors that keep bodies in memory, each met at its own door by a neighbour. */
import assert from 'node:assert/strict';
import { describeFloods, endlessHeaders, slowHeaders } from './flood.ts';

describeFloods({
  door: 'mlflow',
  ask: `
connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=60)
def ask():
    connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status`,
  floods: [
    slowHeaders(5000),
    endlessHeaders(8200),
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
  ],
});
