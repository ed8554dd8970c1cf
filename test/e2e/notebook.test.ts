/** A person works in JupyterLab in a sealed sandbox: in a real browser, through the port door, over a restart of the control plane. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { keepPicture, startBrowser } from '../browser.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const PACKAGES = [
  'jupyterlab',
  'ipykernel',
  'jupyter-server-nbmodel',
  'jupyter-server-ydoc',
  'jupyter-docprovider',
  'mlflow-skinny',
];
/** How long one step may take on a slow, busy machine. */
const PATIENCE_MS = 120_000;

const TRACKED = `import mlflow
with mlflow.start_run(run_name="from-a-cell"):
    for step in range(5):
        mlflow.log_metric("loss", 2.5 / (step + 1), step=step)
    mlflow.log_param("rate", "0.003")
    mlflow.set_tag("note", "<script>alert(1)</script>")`;
const COUNTING = (word: string, count: number) => `import time
for n in range(${count}):
    print("${word}", n, flush=True)
    time.sleep(1)
print("${word} is over")`;

let control: TestControlPlane;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let ada = '';
let bob = '';
let sandbox = '';
let origin = '';

before(async () => {
  // The page finds the control plane again at the same address.
  const variables = { FUMEHOOD_LISTEN: `127.0.0.1:${await freePort()}`, FUMEHOOD_DOORS_PUBLIC: 'false' };
  control = await startControlPlane(variables);
  ada = await control.user('ada', 'engineer');
  bob = await control.user('bob', 'engineer');
  await control.json(['environment', 'create', 'lab', ...PACKAGES.flatMap((name) => ['--package', name])]);
  const made = ['sandbox', 'create', '--name', 'work', '--environment', 'lab', '--memory', '2g', '--disk', '256m'];
  sandbox = (await control.json<{ id: string }>(made, { token: ada })).id;
  const notebook = join(control.home, 'work.ipynb');
  writeFileSync(notebook, notebookOf([TRACKED, COUNTING('tick', 30), COUNTING('away', 8)]));
  await control.run(['sandbox', 'cp', notebook, `${sandbox}:/workspace/work.ipynb`], { token: ada });
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
});

after(async () => {
  await browser?.close();
  await control?.close();
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const notebookOf = (sources: string[]): string =>
  JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    cells: sources.map((source, index) => ({
      id: `cell-${index}`,
      cell_type: 'code',
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    })),
  });

const cell = (index: number) => page.locator('.jp-Notebook .jp-CodeCell').nth(index);
const output = (index: number) => cell(index).locator('.jp-OutputArea-output');

/** Runs a cell as soon as it is there, whether or not its kernel is. */
async function runCell(index: number): Promise<void> {
  await cell(index).locator('.jp-InputArea-prompt').click();
  await page.keyboard.press('Control+Enter');
}

/** The notebook is there, and its kernel answers. */
async function untilReady(): Promise<void> {
  await cell(0).waitFor();
  await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
}

test('a cell logs to MLflow, and the message that it prints leads to the page of its run', {
  timeout: 300_000,
}, async () => {
  const opened = await control.json<{ url: string }>(['sandbox', 'open', 'work'], { token: ada });
  origin = new URL(opened.url).origin;
  assert.equal(new URL(opened.url).hostname, `${sandbox}.localhost`);
  await page.goto(opened.url);
  await page.waitForURL(`${origin}/lab**`);
  await page.goto(`${origin}/lab/tree/work.ipynb`);
  // At once: what is run before the kernel is there waits for it.
  await runCell(0);
  const link = output(0).locator('a', { hasText: '/runs/' });
  await link.waitFor();
  await keepPicture(page, 'notebook-link');
  const [run] = await Promise.all([context.waitForEvent('page'), link.click()]);
  await run.getByRole('heading', { name: 'Run from-a-cell' }).waitFor({ timeout: PATIENCE_MS });
  assert.match(run.url(), /^http:\/\/runs\.localhost:\d+\/[0-9a-f]{32}$/);
  const text = await run.locator('body').innerText();
  for (const part of ['loss', '0.003', 'FINISHED', '<script>alert(1)</script>', 'work'])
    assert.ok(text.includes(part), part);
  assert.equal(await run.locator('polyline').count(), 1);
  await keepPicture(run, 'run');
  await run.close();
  const second = output(0).getByRole('link', { name: /experiments\/\d+$/ });
  const [experiment] = await Promise.all([context.waitForEvent('page'), second.click()]);
  await experiment.getByRole('heading', { name: /^Experiment / }).waitFor({ timeout: PATIENCE_MS });
  assert.match(experiment.url(), /^http:\/\/runs\.localhost:\d+\/experiments\/\d+$/);
  const row = experiment.getByRole('row', { name: /from-a-cell finished .*0\.003/ });
  assert.equal(await row.count(), 1);
  await keepPicture(experiment, 'experiment');
  await row.getByRole('link').click();
  await experiment.getByRole('heading', { name: 'Run from-a-cell' }).waitFor();
  await experiment.close();
});

test('after a reload the output is there, and the person is told that the end is near', {
  timeout: 300_000,
}, async () => {
  await control.json(['sandbox', 'keepalive', 'work', '--ttl', '9m'], { token: ada });
  await page.reload();
  await untilReady();
  await output(0).getByText('View run from-a-cell').waitFor();
  await page
    .getByText(/This sandbox ends at .*, in [89] min/)
    .first()
    .waitFor();
  await keepPicture(page, 'ends-soon');
  const { endingSoon } = await control.json<{ endingSoon: { name: string }[] }>(['status'], { token: ada });
  assert.deepEqual(
    endingSoon.map((one) => one.name),
    ['work'],
  );
  const listed = await control.run(['sandbox', 'list'], { token: ada });
  assert.match(listed.stderr, /work ends in [89] min/);
  await control.json(['sandbox', 'keepalive', 'work', '--ttl', '50m'], { token: ada });
});

test('the control plane dies and comes back while a cell runs: the page goes on, without a reload', {
  timeout: 300_000,
}, async () => {
  await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
  await runCell(1);
  await output(1).getByText('tick 2').waitFor();
  process.kill(await control.pid(), 'SIGKILL');
  // Down for so long that JupyterLab tells of it, which it does when it next asks for something.
  const outage = page.getByRole('dialog', { name: /Server Connection Error/ });
  await outage.waitFor({ timeout: 15_000 }).catch(() => undefined);
  await control.json(['up', '--detach']);
  await output(1).getByText('tick is over').waitFor();
  await outage.waitFor({ state: 'hidden' });
  const printed = await output(1).innerText();
  for (let n = 0; n < 30; n += 1) assert.ok(printed.includes(`tick ${n}\n`), `tick ${n} of ${printed}`);
  assert.equal(await page.evaluate(() => 'neverReloaded' in globalThis), true);
  await keepPicture(page, 'after-restart');
});

test('what a cell prints while no browser is there is there on return', { timeout: 300_000 }, async () => {
  await untilReady();
  await runCell(2);
  await output(2).getByText('away 1').waitFor();
  await page.close();
  await new Promise((resolve) => setTimeout(resolve, 9000));
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${origin}/lab/tree/work.ipynb`);
  await untilReady();
  await output(2).getByText('away is over').waitFor();
  const printed = await output(2).innerText();
  for (let n = 0; n < 8; n += 1) assert.ok(printed.includes(`away ${n}\n`), `away ${n} of ${printed}`);
});

test("another person's browser is refused: without a ticket, with a used one, and by policy", {
  timeout: 300_000,
}, async () => {
  const done = await control.run(['sandbox', 'open', sandbox], { token: bob });
  assert.equal(done.code, 5, done.stderr);
  const opened = await control.json<{ url: string }>(['sandbox', 'open', 'work'], { token: ada });
  const other = await browser.newContext();
  const theirs = await other.newPage();
  const uninvited = await theirs.goto(`${origin}/lab`);
  assert.equal(uninvited?.status(), 401);
  assert.match(await theirs.locator('h1').innerText(), /was not let in/);
  await page.goto(opened.url);
  await page.waitForURL(`${origin}/lab**`);
  const used = await theirs.goto(opened.url);
  assert.equal(used?.status(), 401);
  assert.match(await theirs.locator('h1').innerText(), /used already/);
  await keepPicture(theirs, 'refused');
  const { items } = await control.json<{ items: { id: string; page: string }[] }>(['run', 'list'], { token: ada });
  const [tracked] = items;
  assert.ok(tracked !== undefined);
  const unseen = await theirs.goto(tracked.page);
  assert.equal(unseen?.status(), 401);
  const told = await theirs.locator('body').innerText();
  assert.ok(told.includes(`fumehood run open ${tracked.id}`), told);
  await other.close();
});
