/** The Python SDK against a real control plane, in a real Python, as a program outside sandboxes uses it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ERROR_CODES } from '#kernel/errors.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { pythonWith, uvCommand } from './python-clients.ts';

const SDK = join(import.meta.dirname, '../../python/fumehood');

type Done = { code: number; output: string };
const run = (command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Done> =>
  new Promise((resolve) => {
    execFile(command, args, { cwd: SDK, env, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
  });

let python = '';
let scratch = '';
before(async () => {
  python = await pythonWith('python-sdk', ['httpx', 'websockets', 'pytest', 'mypy', 'hatchling']);
  scratch = await mkdtemp(join(tmpdir(), 'fumehood-sdk-'));
});
after(() => rm(scratch, { recursive: true, force: true }));

test('the synchronous part is what the asynchronous one gives', async () => {
  const { code, output } = await run(python, ['make_sync.py', '--check']);
  assert.equal(code, 0, output);
});

test('every type in it holds (mypy --strict)', async () => {
  const { code, output } = await run(python, ['-m', 'mypy', '--cache-dir', join(scratch, 'mypy')]);
  assert.equal(code, 0, output);
});

test('it installs from its folder, typed, and runs without the checkout', async () => {
  const target = join(scratch, 'installed');
  const uv = await uvCommand();
  const args = [
    'pip',
    'install',
    '--quiet',
    '--python',
    python,
    '--no-deps',
    '--no-build-isolation',
    '--target',
    target,
  ];
  const installed = await run(uv, [...args, SDK]);
  assert.equal(installed.code, 0, installed.output);
  const script =
    'import fumehood, pathlib; p = pathlib.Path(fumehood.__file__).parent; print(p, (p / "py.typed").exists())';
  const { output } = await run(python, ['-c', script], { PATH: process.env.PATH, PYTHONPATH: target });
  assert.equal(output.trim(), `${join(target, 'fumehood')} True`);
});

test('sandboxes, commands, code, files, nouns and errors, synchronous and asynchronous, against a real server', async () => {
  let plane: TestControlPlane | undefined;
  try {
    plane = await startControlPlane();
    const { code, output } = await run(
      python,
      ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--basetemp', join(scratch, 'pytest'), 'tests'],
      {
        PATH: process.env.PATH,
        HOME: scratch,
        PYTHONPATH: join(SDK, 'src'),
        PYTHONDONTWRITEBYTECODE: '1',
        FUMEHOOD_HOME: plane.home,
        FUMEHOOD_TEST_ENGINEER: await plane.user('ann', 'engineer'),
        FUMEHOOD_TEST_OFFICER: await plane.user('olga', 'officer'),
        FUMEHOOD_TEST_CODES: JSON.stringify(Object.keys(ERROR_CODES)),
      },
    );
    assert.equal(code, 0, output);
    assert.match(output, /\d\d passed/);
    assert.doesNotMatch(output, /skipped|warning/i);
  } finally {
    await plane?.close();
  }
});
