import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { AppError, type ErrorCode } from '#kernel/errors.ts';
import { startApi } from '#src/http/api-fixture.ts';
import { type Route, route } from '#src/http/route.ts';
import { serveExec } from '#src/http/serve-exec.ts';
import { webSocketRoute } from '#src/http/websocket-route.ts';
import { spawnAsExec } from './spawn-as-exec-fixture.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const crossing = { object: { kind: 'thing', id: 'x' }, ask: async () => [], act: async () => undefined };

/** Sandboxes whose id is the error that asking about them gives. */
const routes: Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/sandboxes/:id',
    action: 'sandbox.read',
    resource: 'sandbox',
    summary: 'Test',
    params: z.object({ id: z.string() }),
    response: z.unknown(),
    handle: async ({ params, cross }) => {
      await cross(crossing);
      if (params.id === 'fine') return { id: 'fine', name: 'a\x1b[31mb', state: 'running' };
      throw new AppError(params.id as ErrorCode, `about ${params.id}`, { details: { decisionId: 'dec-7' } });
    },
  }),
  route({
    method: 'PUT',
    path: '/api/v1/secrets/*path',
    action: 'secret.put',
    resource: 'secret',
    summary: 'Test',
    params: z.object({ path: z.string() }),
    body: z.object({ data: z.record(z.string(), z.string()) }),
    response: z.unknown(),
    handle: async ({ params, body, cross }) => {
      await cross(crossing);
      return { path: params.path, lengths: Object.values(body.data).map((value) => value.length) };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/whoami',
    action: 'user.read',
    resource: 'user',
    summary: 'Test',
    response: z.unknown(),
    handle: async ({ cross, identity }) => {
      await cross(crossing);
      return { user: identity.user };
    },
  }),
];

let api: Awaited<ReturnType<typeof startApi>>;
let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood-cli-'));
  const exec = webSocketRoute({
    path: '/api/v1/sandboxes/:id/exec',
    action: 'sandbox.exec',
    resource: 'sandbox',
    summary: 'Test',
    params: z.object({ id: z.string() }),
    start: z.object({ argv: z.array(z.string()), env: z.record(z.string(), z.string()).optional() }),
    handle: async ({ cross, params, start, channel }) => {
      await cross(crossing);
      if (params.id !== 'fine') throw new AppError('not_found', 'no such sandbox');
      await serveExec(channel, spawnAsExec(start.argv, start.env ?? {}));
    },
  });
  api = await startApi({ routes, webSocketRoutes: [exec] });
});
after(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

type Options = { input?: string; env?: Record<string, string>; signalAfter?: string };
function run(words: string[], { input = '', env = {}, signalAfter }: Options = {}) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        FUMEHOOD_HOME: join(folder, 'home'),
        FUMEHOOD_URL: api.url,
        FUMEHOOD_TOKEN: 'good',
        ...env,
      },
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        if (signalAfter !== undefined && said.stdout.includes(signalAfter)) child.kill('SIGINT');
      });
    child.once('close', (code) => resolve({ code, ...said }));
    child.stdin.end(input);
  });
}

test('each kind of error has its exit code, and one JSON object on stderr', async () => {
  const codes: [ErrorCode, number][] = [
    ['not_found', 3],
    ['denied', 5],
    ['conflict', 6],
    ['timeout', 7],
    ['capability_missing', 1],
  ];
  for (const [code, exit] of codes) {
    const done = await run(['sandbox', 'get', code, '--json']);
    assert.equal(done.code, exit, code);
    assert.equal(done.stdout, '');
    const { error } = JSON.parse(done.stderr);
    assert.equal(error.code, code);
    assert.equal(error.message, `about ${code}`);
    assert.equal(error.decisionId, 'dec-7');
    assert.match(error.requestId, /^req-/);
    assert.ok(error.hint.length > 5);
  }
  assert.equal((await run(['sandbox', 'get', 'fine'], { env: { FUMEHOOD_TOKEN: 'wrong' } })).code, 4);
  assert.equal((await run(['sandbox', 'frobnicate'])).code, 2);
  assert.equal((await run(['sandbox', 'get', 'fine'], { env: { FUMEHOOD_URL: 'http://127.0.0.1:9' } })).code, 1);
});

test('for people an error says what, what to do, and the request', async () => {
  const { stderr } = await run(['sandbox', 'get', 'denied']);
  assert.match(stderr, /^error: about denied\n {2}what to do: .+\n {2}decision: dec-7\n {2}request: req-/);
});

test('data is on stdout, and control characters in names are shown, not obeyed', async () => {
  const { code, stdout, stderr } = await run(['sandbox', 'get', 'fine']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /name +a\\x1b\[31mb/);
  assert.deepEqual(JSON.parse((await run(['sandbox', 'get', 'fine', '--json=id'])).stdout), { id: 'fine' });
});

test('a secret is read from stdin; on the command line it is refused', async () => {
  const { stdout } = await run(['secret', 'put', 'team/db', 'password=-', '--json'], { input: 'hunter2\n' });
  assert.deepEqual(JSON.parse(stdout), { path: 'team/db', lengths: [7] });
  const refused = await run(['secret', 'put', 'team/db', 'password=hunter2']);
  assert.equal(refused.code, 2);
  assert.doesNotMatch(refused.stderr, /hunter2/);
});

test('exec streams both ways and passes the exit code of the command', async () => {
  const done = await run(['sandbox', 'exec', 'fine', '--env', 'A=1', '--', 'sh', '-c', 'cat; echo $A >&2; exit 42'], {
    input: 'through the wall',
  });
  assert.deepEqual(done, { code: 42, stdout: 'through the wall', stderr: '1\n' });
});

test('exec forwards an interrupt to the command', async () => {
  const command = 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.05; done';
  const done = await run(['sandbox', 'exec', 'fine', '--', 'sh', '-c', command], { signalAfter: 'ready' });
  assert.equal(done.code, 9);
  assert.match(done.stdout, /caught/);
});

test('a fault of exec itself is 125', async () => {
  assert.equal((await run(['sandbox', 'exec', 'gone', '--', 'true'])).code, 125);
  assert.equal((await run(['sandbox', 'exec', 'fine', '--', 'true'], { env: { FUMEHOOD_TOKEN: 'wrong' } })).code, 125);
});

test('login keeps address and token in a file of 0600, used only for that server', async () => {
  const env = { FUMEHOOD_TOKEN: '', FUMEHOOD_URL: '' };
  const done = await run(['login', api.url], { input: 'good\n', env });
  assert.equal(done.code, 0, done.stderr);
  const file = join(folder, '.config', 'fumehood', 'login.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await run(['sandbox', 'get', 'fine'], { env })).code, 0);
  writeFileSync(file, readFileSync(file, 'utf8').replace(api.url, 'http://127.0.0.1:9'));
  assert.equal((await run(['sandbox', 'get', 'fine'], { env: { FUMEHOOD_TOKEN: '' } })).code, 4);
});

test('completion offers nouns, verbs and flags', async () => {
  const words = async (...given: string[]) =>
    (await run(['completion', 'words', '--', ...given])).stdout.trim().split('\n');
  assert.deepEqual(await words('sandb'), ['sandbox']);
  assert.deepEqual(await words('sandbox', 'st'), ['stats', 'stop']);
  assert.deepEqual(await words('sandbox', 'create', '--mem'), ['--memory']);
  assert.deepEqual(await words('sandbox', 'create', '--runtime', 'c'), ['crun']);
  for (const shell of ['bash', 'zsh', 'fish']) assert.match((await run(['completion', shell])).stdout, /fumehood/);
});

test('what destroys asks first, and without a terminal wants --yes', async () => {
  const { code, stderr } = await run(['sandbox', 'delete', 'fine']);
  assert.equal(code, 2);
  assert.match(stderr, /--yes/);
});

test('a flag that would do nothing, and a folder that cannot be written, are refused before the work begins', async () => {
  const refused: [string[], RegExp][] = [
    [['doctor', '--runtime', 'runc'], /--runtime is for attacks[\s\S]*Add --escape/],
    [['docs', 'build', '/proc/x/y'], /"\/proc\/x" cannot be written/],
    [['token', 's3-key', '--ttl', '99h'], /not between 1m and 12h/],
    [['top', '--every', '1ms'], /between 500ms and 1m/],
  ];
  for (const [words, says] of refused) {
    const { code, stdout, stderr } = await run(words);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, says);
  }
});
