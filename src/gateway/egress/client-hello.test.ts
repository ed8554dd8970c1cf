import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { readClientHello } from './client-hello.ts';

/** What this Node's own TLS sends first. */
export function clientHello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, ...(servername === '' ? {} : { servername }) }).on('error', () => undefined);
  });
}

test('the server name of a real hello is found, and only once all of it is there', async () => {
  const hello = await clientHello('PyPI.org');
  assert.deepEqual(readClientHello(hello), { kind: 'hello', serverName: 'pypi.org' });
  for (let length = 0; length < hello.length; length += 1)
    assert.deepEqual(readClientHello(hello.subarray(0, length)), { kind: 'more' }, `${length} bytes`);
  assert.deepEqual(readClientHello(await clientHello('')), { kind: 'hello', serverName: undefined });
});

test('a hello that is cut over many records is put together', async () => {
  const hello = await clientHello('pypi.org');
  const body = hello.subarray(5);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
      const records: Buffer[] = [];
      for (let at = 0; at < body.length; at += size) {
        const part = body.subarray(at, at + size);
        records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
      }
      assert.deepEqual(readClientHello(Buffer.concat(records)), { kind: 'hello', serverName: 'pypi.org' });
    }),
    { numRuns: 50 },
  );
});

test('other protocols are not TLS, and a damaged hello never names another host', async () => {
  for (const text of ['GET / HTTP/1.1\r\n', 'SSH-2.0-x\r\n', '\x16\x02\x00\x00\x05hello', '\x80\x2e\x01'])
    assert.deepEqual(readClientHello(Buffer.from(text, 'latin1')), { kind: 'not-tls' });
  const hello = await clientHello('pypi.org');
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(hello);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      const found = readClientHello(damaged);
      assert.ok(['more', 'not-tls', 'hello'].includes(found.kind));
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void readClientHello(Buffer.from([22, 3, 1, ...bytes]))));
});
