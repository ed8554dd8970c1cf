/** Web apps in a sandbox, opened through the port door in a real browser: TensorBoard, and a page with all that such apps use. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { keepPicture, startBrowser } from '../browser.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const PATIENCE_MS = 120_000;
const LIMIT = { timeout: 300_000 };
const HAS_READ = "import urllib.request as u; assert b'first' in u.urlopen('http://127.0.0.1:6006/data/runs').read()";

let control: TestControlPlane;
let browser: Browser;
let ada = '';

before(async () => {
  control = await startControlPlane({ FUMEHOOD_DOORS_PUBLIC: 'false' });
  ada = await control.user('ada', 'engineer');
  await control.json(['environment', 'create', 'boards', '--package', 'tensorboard']);
  const sizes = ['--memory', '1g', '--disk', '128m', '--environment', 'boards'];
  await control.json(['sandbox', 'create', '--name', 'apps', ...sizes], { token: ada });
  for (const file of ['web-app.py', 'write_events.py'])
    await control.run(['sandbox', 'cp', join(import.meta.dirname, file), 'apps:/workspace/'], { token: ada });
  await inside('nohup python3 web-app.py 7000 >app.log 2>&1 & until grep -q ready app.log; do sleep 0.1; done');
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await control?.close();
});

async function inside(script: string): Promise<void> {
  const done = await control.run(['sandbox', 'exec', 'apps', '--', 'setsid', '--wait', 'sh', '-c', script], {
    token: ada,
  });
  assert.equal(done.code, 0, done.stderr);
}

/** The page of a port, entered by its link; `failed` gathers what it could not load from its own origin. */
async function open(port: string): Promise<{ page: Page; failed: string[] }> {
  const { url } = await control.json<{ url: string }>(['sandbox', 'open', 'apps', '--port', port], { token: ada });
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const failed: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(url);
  return { page, failed };
}

test(
  'a page gets its events as they happen, its WebSocket, its upload, redirect, cookie and worker; nothing from outside',
  LIMIT,
  async () => {
    const { page, failed } = await open('7000');
    const said = page.locator('li');
    for (const text of [
      'event 1',
      'event 3',
      'echo hello',
      'moved to /there seen=yes',
      'worker works',
      'outside refused',
    ])
      await said.getByText(text, { exact: true }).waitFor();
    for (const bytes of [10, 3_000_000]) {
      const file = { name: 'x.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(bytes, 7) };
      await page.locator('input').setInputFiles(file);
      await said
        .getByText(/^upload (\d+) of \1 bytes$/)
        .nth(bytes === 10 ? 0 : 1)
        .waitFor();
    }
    assert.deepEqual(failed, []);
    assert.ok(!(await page.locator('ul').innerText()).includes('outside reached'));
  },
);

test('TensorBoard shows its curves', LIMIT, async () => {
  await inside('python3 write_events.py');
  await inside('nohup tensorboard --logdir logs --port 6006 >board.log 2>&1 &');
  // Its page asks once for what there is: it is opened when the server has read it.
  await inside(`until python3 -c "${HAS_READ}" 2>/dev/null; do sleep 0.3; done`);
  const { page, failed } = await open('6006');
  for (const text of ['loss', 'first', '0.04']) await page.getByText(text, { exact: true }).first().waitFor();
  await keepPicture(page, 'tensorboard');
  assert.deepEqual(failed, []);
});

test(
  'a port on which nothing listens, a door and a number that is none are refused with what to do',
  LIMIT,
  async () => {
    const { page } = await open('7999');
    assert.match(
      await page.locator('body').innerText(),
      /Nothing answers at this port[\s\S]*What to do: Start what should listen there/,
    );
    for (const [port, why] of [
      ['5000', /sandbox's way to mlflow/],
      ['70000', /70000 is no port[\s\S]*1 to 65535/],
      ['0', /0 is no port/],
      ['x', /"x" is not a number/],
    ] as const) {
      const done = await control.run(['sandbox', 'open', 'apps', '--port', port], { token: ada });
      assert.equal(done.code, 2, done.stderr);
      assert.match(done.stderr, why);
    }
  },
);
