import assert from 'node:assert/strict';
import { describe } from 'node:test';
import fc from 'fast-check';
import { forbiddenReason, formatAddress, parseAddress } from '#src/gateway/egress/address.ts';
import { authorityOf, parseAuthority, parseHost } from '#src/gateway/egress/authority.ts';
import { MAX_HELLO_BYTES, readClientHello } from '#src/gateway/egress/client-hello.ts';
import { createListRewriter } from '#src/gateway/request-framing.ts';
import { cuts, hostileText, inPieces, taken, target } from './target.ts';

const number16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
/** A ClientHello with this server name, in one record. */
function helloFor(name: string): Buffer {
  const host = Buffer.from(name, 'latin1');
  const entry = Buffer.concat([number16(host.length + 3), Buffer.from([0]), number16(host.length), host]);
  const extension = Buffer.concat([number16(0), number16(entry.length), entry]);
  const body = Buffer.concat([
    Buffer.alloc(34, 3),
    Buffer.from([0]),
    number16(2),
    Buffer.from([19, 1, 1, 0]),
    number16(extension.length),
    extension,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), number16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), number16(message.length), message]);
}
const dnsName = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}\.example\.com$/);

describe('fuzzing of the way out', () => {
  target(
    'an authority has one meaning, or none',
    hostileText(
      '127',
      '.',
      '0',
      '0x7f',
      '::',
      '[',
      ']',
      ':443',
      ':',
      '169.254.169.254',
      'localhost',
      'xn--',
      '%',
      '@',
      'example.com',
      '1e1',
    ),
    (text) => {
      const found = taken(() => parseAuthority(text, 443));
      if (found === undefined) return;
      assert.deepEqual(parseAuthority(authorityOf(found)), found);
      assert.ok(found.port > 0 && found.port < 65_536);
      assert.match(found.host, /^[a-z0-9._:-]+$/);
      if (found.address !== undefined) forbiddenReason(found.address);
      taken(() => parseHost(text));
    },
    { quick: 2000 },
  );

  target(
    'an address is itself again after it was written',
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended()),
    (text) => {
      const address = parseAddress(text);
      if (address !== undefined) assert.deepEqual(parseAddress(formatAddress(address)), address);
    },
  );

  target(
    'a ClientHello names the server that it is for, and asks for more until it is whole',
    fc.tuple(dnsName, fc.nat()),
    ([name, cut]) => {
      const hello = helloFor(name);
      assert.deepEqual(readClientHello(hello), { kind: 'hello', serverName: name });
      assert.deepEqual(readClientHello(hello.subarray(0, cut % hello.length)), { kind: 'more' });
    },
  );

  target(
    'bytes that are no ClientHello, or one that was changed, are seen as what they are',
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(dnsName, fc.nat(), fc.nat(255)).map(([name, at, byte]) => {
        const hello = helloFor(name);
        hello.writeUInt8(byte, at % hello.length);
        return hello;
      }),
    ),
    (bytes) => {
      const found = readClientHello(bytes);
      assert.ok(['more', 'not-tls', 'hello'].includes(found.kind));
      assert.notEqual(readClientHello(Buffer.concat([bytes, Buffer.alloc(MAX_HELLO_BYTES + 1, 22)])).kind, 'more');
    },
    { share: 0.2 },
  );

  const head = hostileText(
    'LIST /v1/x HTTP/1.1\r\n',
    'GET / HTTP/1.1\r\n',
    'Host: x\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    '\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'LIST ',
    'L',
    'IST',
  );
  target(
    'framing changes nothing but the verb LIST, however the bytes are cut',
    fc.tuple(head, cuts),
    ([text, where]) => {
      const bytes = Buffer.from(text);
      const whole = rewritten([bytes]);
      assert.equal(whole.length, bytes.length);
      assert.deepEqual(rewritten(inPieces(bytes, where)), whole);
      for (let at = 0; at < bytes.length; at += 1)
        if (whole[at] !== bytes[at]) assert.match(bytes.toString('latin1', Math.max(0, at - 3), at + 4), /LIST/);
    },
  );
});

function rewritten(pieces: readonly Buffer[]): Buffer {
  const rewriter = createListRewriter();
  return Buffer.concat([...pieces.map((piece) => rewriter.push(Buffer.from(piece))), rewriter.flush()]);
}
