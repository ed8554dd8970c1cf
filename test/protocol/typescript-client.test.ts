/** The TypeScript client against a real control plane: built as it is shipped, used as its README says. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type * as Built from '../../clients/typescript/src/client.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { pythonWith } from './python-clients.ts';

const ROOT = join(import.meta.dirname, '../..');

let plane: TestControlPlane;
let scratch = '';
let built: typeof Built;
let fumehood: Built.Client;
before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'fumehood-client-'));
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  execFileSync(tsc, ['--project', join(ROOT, 'clients/typescript'), '--outDir', join(scratch, 'dist')]);
  symlinkSync(join(ROOT, 'node_modules'), join(scratch, 'node_modules'));
  built = await import(join(scratch, 'dist/client.js'));
  plane = await startControlPlane();
  fumehood = built.createClient({ url: plane.url, token: await plane.user('ann', 'engineer') });
});
after(async () => {
  await plane.close();
  rmSync(scratch, { recursive: true, force: true });
});

const refusedAs = (code: string) => (error: Built.FumehoodError) => {
  assert.equal(error.code, code, error.message);
  assert.notEqual(error.hint, '');
  assert.notEqual(error.requestId, '');
  return true;
};

test('the OpenAPI document is one (OpenAPI 3.1, by a validator of its own)', async () => {
  const python = await pythonWith('openapi', ['openapi-spec-validator']);
  const said = execFileSync(python, ['-m', 'openapi_spec_validator', join(ROOT, 'docs/reference/openapi.json')]);
  assert.match(said.toString(), /: OK/);
  const { operations } = operationIds();
  assert.equal(new Set(operations).size, operations.length, 'every operation has a name of its own');
});

function operationIds(): { operations: string[] } {
  const document = JSON.parse(readFileSync(join(ROOT, 'docs/reference/openapi.json'), 'utf8')) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  return {
    operations: Object.values(document.paths).flatMap((item) => Object.values(item).map((one) => one.operationId)),
  };
}

test('a sandbox is made, commands and code run in it, bytes go in and out, and it is removed', async () => {
  const sandbox = await fumehood.call('POST /api/v1/sandboxes', { body: { memory: '256m', ttl: '10m' } });
  assert.equal(sandbox.state, 'running');
  const params = { id: sandbox.id };

  let output = '';
  const exec = await fumehood.exec(
    sandbox.id,
    { argv: ['sh', '-c', 'echo out; echo err >&2; exit 4'] },
    {
      onStdout: (bytes) => (output += `1:${Buffer.from(bytes)}`),
      onStderr: (bytes) => (output += `2:${Buffer.from(bytes)}`),
    },
  );
  assert.equal((await exec.result).exitCode, 4);
  assert.deepEqual([output.includes('1:out\n'), output.includes('2:err\n')], [true, true]);

  const pieces: Uint8Array[] = [];
  const large = 'x'.repeat(3_000_000);
  const cat = await fumehood.exec(
    sandbox.id,
    { argv: ['cat'] },
    { stdin: large, onStdout: (bytes) => pieces.push(bytes) },
  );
  assert.equal((await cat.result).exitCode, 0);
  assert.equal(Buffer.concat(pieces).toString(), large);

  let answer = '';
  const python = await fumehood.python(
    sandbox.id,
    { source: 'print(6 * 7)' },
    { onStdout: (bytes) => (answer += Buffer.from(bytes)) },
  );
  assert.equal((await python.result).exitCode, 0);
  assert.equal(answer, '42\n');

  const sleeping = await fumehood.exec(sandbox.id, { argv: ['sleep', '1000'] }, { signal: AbortSignal.timeout(200) });
  assert.deepEqual((await sleeping.result).signal, 'KILL');

  const content = { params, query: { path: 'data.txt' } };
  await fumehood.call('PUT /api/v1/sandboxes/{id}/files/content', { ...content, body: 'grüße' });
  const bytes = await fumehood.download('GET /api/v1/sandboxes/{id}/files/content', content);
  assert.equal(await new Response(bytes).text(), 'grüße');

  const kinds: string[] = [];
  const watch = { params, query: { path: '/workspace' } };
  for await (const { kind, path } of fumehood.lines('GET /api/v1/sandboxes/{id}/files/watch', watch)) {
    if (kind === 'ready') await fumehood.call('PUT /api/v1/sandboxes/{id}/files/content', { ...content, body: 'new' });
    if (path.endsWith('/data.txt')) kinds.push(kind);
    if (kinds.length > 0) break;
  }
  assert.equal(kinds.length, 1);
  const looks = fumehood.lines('GET /api/v1/sandbox-stats', { query: { samples: 2, everyMs: 500 } });
  const seen: string[][] = [];
  for await (const look of looks) seen.push(look.items.map((one) => one.id));
  assert.deepEqual(seen, [[sandbox.id], [sandbox.id]]);

  const listed: string[] = [];
  for await (const one of fumehood.pages('GET /api/v1/sandboxes', { query: { limit: 1, all: true } }))
    listed.push(one.id);
  assert.deepEqual(listed, [sandbox.id]);
  assert.deepEqual((await fumehood.call('DELETE /api/v1/sandboxes/{id}', { params })).remains, []);
  await assert.rejects(fumehood.exec(sandbox.id, { argv: ['true'] }), (error: Built.FumehoodError) =>
    ['not_found', 'conflict'].includes(error.code),
  );
});

test('what the server refuses has its code, its hint and its decision', async () => {
  await assert.rejects(fumehood.call('GET /api/v1/runs/{id}', { params: { id: 'none' } }), refusedAs('not_found'));
  await assert.rejects(fumehood.call('POST /api/v1/sandboxes', { body: { cpus: -1 } }), refusedAs('invalid'));
  await assert.rejects(fumehood.call('GET /api/v1/audit'), (error: Built.FumehoodError) => {
    assert.notEqual(error.decisionId, undefined);
    return refusedAs('denied')(error);
  });
  const stranger = built.createClient({ url: plane.url, token: 'wrong' });
  await assert.rejects(stranger.call('GET /api/v1/whoami'), refusedAs('unauthenticated'));
  await assert.rejects(stranger.exec('x', { argv: ['true'] }), refusedAs('unauthenticated'));
  const nobody = built.createClient({ url: 'http://127.0.0.1:9', token: 'x' });
  await assert.rejects(nobody.call('GET /api/v1/whoami'), { code: 'unavailable' });
});

test('no value of a parameter can become a path of its own', async () => {
  const traps = ['../whoami', '..%2fwhoami', 'x/../../whoami?', '#'];
  for (const id of traps)
    await assert.rejects(fumehood.call('GET /api/v1/runs/{id}', { params: { id } }), (error: Built.FumehoodError) =>
      ['not_found', 'invalid'].includes(error.code),
    );
});

/** What the types refuse, the compiler says: these lines are errors, and would be noticed if they were none. */
export const typesRefuse = (client: Built.Client): unknown[] => [
  // @ts-expect-error there is no such operation
  client.call('GET /api/v1/nothing'),
  // @ts-expect-error params are missing
  client.call('GET /api/v1/runs/{id}'),
  // @ts-expect-error a member that the route does not have
  client.call('POST /api/v1/sandboxes', { body: { memroy: '1g' } }),
  // @ts-expect-error lines are not data
  client.call('GET /api/v1/sandbox-stats'),
  // @ts-expect-error a list is needed
  client.pages('GET /api/v1/whoami'),
];
