/** The S3 door of a real control plane, behind its signatures: whatever its signer asks is answered, and never by an error of Fumehood itself. */
import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import type { AccessKey } from '../sign-s3.ts';
import { BUCKET, hostileRequest, signedWire, type Wire } from './s3-requests.ts';
import { slowTarget } from './target.ts';

type Answer = { status: number; requestId: string; text: string; etag: string };

describe('fuzzing of the S3 door behind its signatures', () => {
  const agent = new Agent({ keepAlive: true });
  const answers = new Map<string, number>();
  let control: TestControlPlane;
  let world: { host: string; key: AccessKey; uploadId: string; partTag: string };
  before(async () => {
    const { FUMEHOOD_FUZZ_DATABASE_URL: url } = process.env;
    control = await startControlPlane(url === undefined ? {} : { FUMEHOOD_DATABASE_URL: url });
    const token = await control.user('erin', 'engineer');
    const issued = await fetch(`${control.url}/api/v1/access-keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ttlSeconds: 12 * 3600 }),
    });
    const key = (await issued.json()) as AccessKey;
    world = { host: new URL(control.doors.s3 ?? '').host, key, uploadId: '', partTag: '' };
    for (const path of [`/${BUCKET}`, `/${BUCKET}/kept`]) assert.equal((await plain('PUT', path)).status, 200);
    await beginUpload();
  });
  after(async () => {
    agent.destroy();
    await control.close();
  });

  const plain = (method: string, path: string, query: [string, string][] = []): Promise<Answer> =>
    send(signedWire({ method, path, query, headers: {}, body: { kind: 'none' } }, world));
  const beginUpload = async (): Promise<void> => {
    const begun = await plain('POST', `/${BUCKET}/upload`, [['uploads', '']]);
    world.uploadId = /<UploadId>([^<]+)</.exec(begun.text)?.[1] ?? assert.fail(begun.text);
    const part: [string, string][] = [
      ['partNumber', '1'],
      ['uploadId', world.uploadId],
    ];
    world.partTag = (await plain('PUT', `/${BUCKET}/upload`, part)).etag;
  };
  const send = ({ method, target, headers, body }: Wire): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const [hostname, port] = world.host.split(':');
      const sent = httpRequest(
        { agent, hostname, port, method, path: target, headers, timeout: 60_000 },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
          response.on('end', () => {
            const { 'x-amz-request-id': id = '', etag = '' } = response.headers;
            const text = Buffer.concat(parts).toString();
            resolve({ status: response.statusCode ?? 0, requestId: String(id), text, etag });
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer within a minute'))).on('error', reject);
      // In two steps: Node changes the bytes of a Content-Disposition when it knows the length before them.
      sent.write(body);
      sent.end();
    });

  slowTarget(
    'keys, headers, queries, XML and chunks of a signer are answered',
    hostileRequest,
    async (question) => {
      const wire = signedWire(question, world);
      const { status, requestId, text } = await send(wire);
      const told = `${wire.method} ${wire.target} ${JSON.stringify(wire.headers)} ${wire.body.toString('latin1').slice(0, 600)} -> ${status} ${text.slice(0, 400)}`;
      assert.ok(status < 500 || status === 501, told);
      assert.match(requestId, /^req-/, told);
      const code = /<Code>(\w+)</.exec(text)?.[1] ?? String(status);
      answers.set(code, (answers.get(code) ?? 0) + 1);
      // The one signature that may be wrong is that of a chunk which was made wrong.
      if (code === 'SignatureDoesNotMatch')
        assert.ok(question.body.kind === 'chunks' && question.body.signed && question.body.break !== 'nothing', told);
      if (status < 300 && question.query.some(([name]) => name === 'uploadId')) await beginUpload();
    },
    { quick: 400, share: 0.02 },
  );

  it('got behind the signatures, goes on answering, and its log verifies', async (t) => {
    t.diagnostic(JSON.stringify(Object.fromEntries([...answers].sort())));
    for (const code of ['200', '204', 'NoSuchKey', 'MalformedXML', 'NotImplemented'])
      assert.ok(answers.has(code), `no answer was ${code}`);
    assert.equal((await plain('PUT', `/${BUCKET}/kept`)).status, 200);
    const officer = await control.user('olga', 'officer');
    const verified = await control.run(['audit', 'verify'], { token: officer });
    assert.equal(verified.code, 0, verified.stderr);
  });
});
