import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signingKey, signRequest } from '#src/doors/s3/signature.ts';
import { FRAME_BYTES } from '#src/objects/frame.ts';
import { collect, patternBytes } from '#src/objects/test-objects.ts';
import { type S3Server, SANDBOX_ID, startS3 } from './s3-server.ts';

const CRC32_OF_HELLO = 'NhCmhg==';

describe('S3 door', () => {
  let server: S3Server;
  const send = async (method: string, path: string, headers: Record<string, string> = {}, body?: string | Buffer) => {
    const response = await fetch(`${server.inside}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const codeOf = (text: string): string | undefined => /<Code>(\w+)<\/Code>/.exec(text)?.[1];

  before(async () => {
    server = await startS3();
    await send('PUT', '/lab');
  });
  after(() => server.close());

  it('answers what it does not offer in XML, and the attempt is an entry', async () => {
    const rows: [string, string, string][] = [
      ['GET', '/lab?lifecycle', 'NotImplemented'],
      ['PUT', '/lab/key?retention', 'NotImplemented'],
      ['GET', '/lab/key?versionId=7', 'NotImplemented'],
      ['PATCH', '/lab/key', 'MethodNotAllowed'],
      ['DELETE', '/', 'MethodNotAllowed'],
      ['GET', '/lab/%ff', 'InvalidURI'],
    ];
    for (const [method, path, code] of rows) {
      const before = server.world.entries.length;
      assert.equal(codeOf((await send(method, path)).text), code, `${method} ${path}`);
      assert.equal(server.world.entries.length, before + 1);
      assert.equal(server.world.entries.at(-1)?.outcome, 'denied');
    }
  });

  it('answers a path that climbs or begins anew as a key, or not at all: no file of the host, no other resource', async () => {
    await send('PUT', '/lab/etc/passwd', {}, 'an object of this name');
    const { hostname, port } = new URL(server.inside);
    const raw = (path: string) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        get({ hostname, port, path }, async (response) =>
          resolve({ status: response.statusCode ?? 0, text: (await collect(response)).toString() }),
        ).on('error', reject);
      });
    assert.deepEqual(await raw('/lab/etc/passwd'), { status: 200, text: 'an object of this name' });
    for (const path of [
      '//etc/passwd',
      '/%2fetc/passwd',
      '///etc/passwd',
      '/../etc/passwd',
      '/lab//etc/passwd',
      '/lab/../lab/etc/passwd',
      '/lab/../../../../etc/passwd',
      '/lab/%2e%2e/%2e%2e/etc/passwd',
      '/lab/..%2f..%2f..%2fetc%2fpasswd',
      'file:///etc/passwd',
      'http://localhost/etc/passwd',
    ]) {
      const { status, text } = await raw(path);
      assert.ok(status >= 400 && status < 500, `${path}: ${status} ${text}`);
      assert.doesNotMatch(text, /root:|an object of this name|ListAllMyBuckets/, path);
    }
  });

  it('sends the headers that a request asks for as they are, and refuses what no header can hold', async () => {
    const disposition = Buffer.from('inline; filename="é 嘊.txt"').toString('latin1');
    await send('PUT', '/lab/named', { 'content-disposition': disposition }, 'x');
    assert.equal((await send('GET', '/lab/named')).headers.get('content-disposition'), disposition);
    const asked = await send('GET', '/lab/named?response-content-disposition=attachment%3B%20filename%3D%C3%A9');
    assert.equal(asked.headers.get('content-disposition'), 'attachment; filename=é');
    for (const value of ['%00', 'a%0d%0aset-cookie:%20a=b', '%E5%98%8A'])
      for (const name of ['content-disposition', 'content-type', 'expires']) {
        const refused = await send('GET', `/lab/named?response-${name}=${value}`);
        assert.equal(codeOf(refused.text), 'InvalidArgument', `${name} ${value}`);
        assert.equal(refused.headers.get('set-cookie'), null);
      }
  });

  it('shows why policy said no, with the decision', async () => {
    server.world.policy.allows = () => false;
    const { status, text } = await send('PUT', '/lab/denied', {}, 'x');
    server.world.policy.allows = () => true;
    assert.equal(status, 403);
    assert.match(text, /<Code>AccessDenied<\/Code><Message>no rule allows object.write on lab\/denied\. .*explain/);
    assert.match(text, /<DecisionId>decision-/);
  });

  const chunked = (trailer: string) => `3\r\nhel\r\n2\r\nlo\r\n0\r\n${trailer}\r\n`;
  const unsigned = {
    'content-encoding': 'aws-chunked',
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': '5',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  };

  it('stores the content of chunks, never their framing, and proves the trailer', async () => {
    const good = await send('PUT', '/lab/chunks', unsigned, chunked(`x-amz-checksum-crc32:${CRC32_OF_HELLO}\r\n`));
    assert.equal(good.headers.get('x-amz-checksum-crc32'), CRC32_OF_HELLO);
    const got = await send('GET', '/lab/chunks', { 'x-amz-checksum-mode': 'ENABLED' });
    assert.deepEqual([got.text, got.headers.get('content-encoding')], ['hello', null]);
    assert.equal(got.headers.get('x-amz-checksum-crc32'), CRC32_OF_HELLO);
    const part = await send('GET', '/lab/chunks', { 'x-amz-checksum-mode': 'ENABLED', range: 'bytes=0-1' });
    assert.deepEqual([part.status, part.text, part.headers.get('x-amz-checksum-crc32')], [206, 'he', null]);
    const bad = await send('PUT', '/lab/bad', unsigned, chunked('x-amz-checksum-crc32:AAAAAA==\r\n'));
    assert.equal(codeOf(bad.text), 'BadDigest');
    assert.equal(codeOf((await send('PUT', '/lab/bad', unsigned, chunked(''))).text), 'MalformedTrailerError');
    const short = { ...unsigned, 'x-amz-decoded-content-length': '6' };
    const crc = chunked(`x-amz-checksum-crc32:${CRC32_OF_HELLO}\r\n`);
    assert.equal(codeOf((await send('PUT', '/lab/bad', short, crc)).text), 'IncompleteBody');
    assert.equal((await send('GET', '/lab/bad')).status, 404);
    assert.equal(server.world.entries.filter((one) => one.object.id === 'lab/bad').length, 4);
  });

  it('checks signed chunks by the key that signed the request', async () => {
    const key = await server.issue({});
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const headers: Record<string, string> = {
      host: server.outside.slice('http://'.length),
      'content-encoding': 'aws-chunked',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-date': date,
      'x-amz-decoded-content-length': '5',
    };
    const signedHeaders = Object.keys(headers).sort();
    const secret = signingKey(key.secretAccessKey, scope);
    const request = { method: 'PUT', path: '/lab/signed', query: '', headers: new Map(Object.entries(headers)) };
    const payload = headers['x-amz-content-sha256'] ?? '';
    const seed = signRequest(request, { signedHeaders, date, scope }, payload, secret);
    const credential = `Credential=${key.accessKeyId}/${scope},SignedHeaders=${signedHeaders.join(';')},Signature=${seed}`;
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    const sign = (previous: string, text: string): string => {
      const lines = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, sha256(''), sha256(text)];
      return createHmac('sha256', secret).update(lines.join('\n')).digest('hex');
    };
    const first = sign(seed, 'hello');
    const put = (text: string) =>
      fetch(`${server.outside}/lab/signed`, {
        method: 'PUT',
        headers: { ...headers, authorization: `AWS4-HMAC-SHA256 ${credential}` },
        body: `5;chunk-signature=${first}\r\n${text}\r\n0;chunk-signature=${sign(first, '')}\r\n\r\n`,
      });
    const forged = await put('jello');
    assert.deepEqual([forged.status, codeOf(await forged.text())], [403, 'SignatureDoesNotMatch']);
    assert.equal((await put('hello')).status, 200);
    assert.equal((await send('GET', '/lab/signed')).text, 'hello');
  });

  it('takes the keys of a sandbox inside of it, and nowhere else', async () => {
    const key = await server.issue({ sandboxId: SANDBOX_ID });
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const list = async (endpoint: string) => {
      const headers: Record<string, string> = {
        host: endpoint.slice('http://'.length),
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        'x-amz-date': date,
      };
      const signedHeaders = Object.keys(headers).sort();
      const request = { method: 'GET', path: '/', query: '', headers: new Map(Object.entries(headers)) };
      const secret = signingKey(key.secretAccessKey, scope);
      const signature = signRequest(request, { signedHeaders, date, scope }, 'UNSIGNED-PAYLOAD', secret);
      const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
      return (await fetch(`${endpoint}/`, { headers: { ...headers, authorization } })).status;
    };
    assert.equal(await list(server.inside), 200);
    assert.equal(await list(server.outside), 403);
  });

  it('takes the bucket out of the host as well', async () => {
    await send('PUT', '/lab/hosted/key', {}, 'by host');
    const { port } = new URL(server.inside);
    const text = await new Promise<string>((resolve, reject) => {
      const options = { port, host: '127.0.0.1', path: '/hosted/key', headers: { host: `lab.localhost:${port}` } };
      get(options, (answer) => resolve(collect(answer).then(String))).once('error', reject);
    });
    assert.equal(text, 'by host');
  });

  it('turns a flipped byte into an error before the first byte, or ends the connection before the last', async () => {
    const bytes = patternBytes(2 * FRAME_BYTES);
    const folder = join(server.world.home, 'objects');
    const all = async () => new Set((await readdir(folder, { recursive: true })).filter((name) => name.length > 30));
    const before = await all();
    await send('PUT', '/lab/flipped', {}, bytes);
    const [fresh = ''] = [...(await all())].filter((name) => !before.has(name));
    const flip = async (at: number): Promise<void> => {
      const sealed = await readFile(join(folder, fresh));
      sealed[at] = (sealed[at] ?? 0) ^ 1;
      await writeFile(join(folder, fresh), sealed);
    };
    await flip(10);
    const early = await send('GET', '/lab/flipped');
    assert.deepEqual([early.status, codeOf(early.text)], [500, 'InternalError']);
    await flip(10);
    await flip(FRAME_BYTES + 100);
    await assert.rejects(send('GET', '/lab/flipped'));
    assert.equal((await send('GET', '/lab/flipped', { range: 'bytes=0-99' })).status, 206);
  });

  it('refuses XML that declares entities, and takes no key for markup', async () => {
    const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>';
    assert.equal(codeOf((await send('POST', '/lab?delete', {}, bomb)).text), 'MalformedXML');
    assert.equal(codeOf((await send('POST', '/lab?delete', {}, '<Delete><Object>')).text), 'MalformedXML');
    await send('PUT', '/lab/%3CKey%3E%26', {}, 'x');
    const listed = await send('GET', '/lab?prefix=%3C');
    assert.match(listed.text, /<Key>&lt;Key&gt;&amp;<\/Key>/);
    const gone = '<Delete><Object><Key>&lt;Key&gt;&amp;</Key></Object></Delete>';
    assert.match(
      (await send('POST', '/lab?delete', {}, gone)).text,
      /<Deleted><Key>&lt;Key&gt;&amp;<\/Key><\/Deleted>/,
    );
    assert.equal((await send('GET', '/lab/%3CKey%3E%26')).status, 404);
    await send('PUT', '/lab/two%0D%0Alines', {}, 'x');
    assert.match((await send('GET', '/lab?prefix=two')).text, /<Key>two&#13;&#10;lines<\/Key>/);
    const lines = '<Delete><Object><Key>two&#13;&#xA;lines</Key></Object></Delete>';
    assert.match((await send('POST', '/lab?delete', {}, lines)).text, /<Deleted>/);
    assert.equal((await send('GET', '/lab/two%0D%0Alines')).status, 404);
  });
});
