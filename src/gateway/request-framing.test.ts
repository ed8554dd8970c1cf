import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createListRewriter } from './request-framing.ts';

function rewrite(input: string, cuts: number[]): string {
  const bytes = Buffer.from(input, 'latin1');
  const rewriter = createListRewriter();
  const out: Buffer[] = [];
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  for (let i = 1; i < places.length; i += 1) out.push(rewriter.push(bytes.subarray(places[i - 1], places[i])));
  out.push(rewriter.flush());
  return Buffer.concat(out).toString('latin1');
}

const Text = fc
  .array(fc.constantFrom('LIST ', 'LINK ', '\r\n', '\r\n\r\nLIST /x HTTP/1.1\r\n\r\n', '0\r\n\r\n', 'a', 'L', ' '))
  .map((parts) => parts.join(''));
const Verb = fc.constantFrom('LIST', 'GET', 'POST', 'LINK', 'LISTEN', 'PATCH');
const Request = fc.record({
  verb: Verb,
  body: Text,
  framing: fc.constantFrom('none', 'length', 'chunked'),
  trailer: fc.boolean(),
});

function write(request: { verb: string; body: string; framing: string; trailer: boolean }, verb: string): string {
  const { body, framing } = request;
  const line = `${verb} /v1/secret/LIST%20 HTTP/1.1\r\nHost: x\r\nX-Note: LIST \r\n`;
  if (framing === 'none') return `${line}\r\n`;
  if (framing === 'length') return `${line}Content-Length: ${body.length}\r\n\r\n${body}`;
  const chunk = body.length === 0 ? '' : `${body.length.toString(16)};LIST =1\r\n${body}\r\n`;
  return `${line}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n${request.trailer ? 'LIST : LIST \r\n' : ''}\r\n`;
}

test('however requests are pipelined and cut into pieces, LIST is rewritten as a verb and nowhere else', () => {
  fc.assert(
    fc.property(fc.array(Request, { minLength: 1, maxLength: 6 }), fc.array(fc.nat()), (requests, cuts) => {
      const input = requests.map((request) => write(request, request.verb)).join('');
      const expected = requests
        .map((request) => write(request, request.verb === 'LIST' ? 'LINK' : request.verb))
        .join('');
      assert.equal(rewrite(input, cuts), expected);
    }),
    { numRuns: 300 },
  );
});

test('bytes that are no HTTP at all pass unchanged but for a leading verb', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.nat()), (text, cuts) => {
      const latin = Buffer.from(text).toString('latin1');
      fc.pre(!latin.includes('LIST '));
      assert.equal(rewrite(latin, cuts), latin);
    }),
    { numRuns: 200 },
  );
});

test('an empty line between requests is skipped', () => {
  assert.equal(rewrite('\r\nLIST /a HTTP/1.1\r\n\r\n\r\nLIST /b HTTP/1.1\r\n\r\n', [3, 9]).match(/LINK/g)?.length, 2);
});

test('conflicting framing is passed on unchanged, so that the parser behind refuses it', () => {
  const smuggled =
    'POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nLIST / HTTP/1.1\r\n\r\n';
  assert.equal(rewrite(smuggled, []), smuggled);
});
