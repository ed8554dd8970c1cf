/** The two example notebooks, opened and run by hand: cell by cell in JupyterLab, in a real browser. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { writeTopics } from '#src/demo/demo-data.ts';
import { keepPicture, startBrowser } from '../browser.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

type Notebook = { cells: { id: string; cell_type: string; source: string | string[] }[] };

const EXAMPLES = join(import.meta.dirname, '../../examples/text-generation');
/** How long one step may take on a slow, busy machine. */
const PATIENCE_MS = 180_000;

let control: TestControlPlane;
let browser: Browser;
let context: BrowserContext;
let erin = '';

before(async () => {
  control = await startControlPlane({ FUMEHOOD_DOORS_PUBLIC: 'false' });
  erin = await control.user('erin', 'engineer');
  writeTopics(join(control.home, 'topics'), 'python3');
  await control.json(['dataset', 'add', 'topics', join(control.home, 'topics'), '--tag', 'public'], { token: erin });
  await control.json(['environment', 'create', 'text-generation']);
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
});

after(async () => {
  await browser?.close();
  await control?.close();
});

/** Makes a sandbox with a notebook in it, and opens that as a person does: the link, then a double click on its name. */
async function openNotebook(name: string, notebook: Notebook, more: string[]): Promise<Page> {
  const sizes = ['--cpus', '2', '--memory', '2g', '--disk', '512m', '--environment', 'text-generation'];
  await control.json(['sandbox', 'create', '--name', name, ...sizes, ...more], { token: erin });
  const file = join(control.home, `${name}.ipynb`);
  writeFileSync(file, JSON.stringify(notebook));
  await control.run(['sandbox', 'cp', file, `${name}:/workspace/`], { token: erin });
  const { url } = await control.json<{ url: string }>(['sandbox', 'open', name], { token: erin });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(url);
  await page.locator('.jp-DirListing-item', { hasText: `${name}.ipynb` }).dblclick();
  return page;
}

/**
 * Runs one cell after the other, each once the one before has its number; gives what they printed. JupyterLab keeps only cells in sight, so each is
 * looked at before the next is chosen.
 */
async function runAll(page: Page, notebook: Notebook): Promise<string[]> {
  const printed: string[] = [];
  await page.locator('.jp-Notebook .jp-Cell[data-windowed-list-index="0"]').click();
  await page.keyboard.press('Escape');
  for (const [at, { cell_type: type }] of notebook.cells.entries()) {
    const cell = page.locator(`.jp-Notebook .jp-Cell.jp-mod-active[data-windowed-list-index="${at}"]`);
    await cell.waitFor();
    await page.keyboard.press('Control+Enter');
    if (type === 'code') {
      await cell.locator('.jp-InputArea-prompt', { hasText: `[${printed.length + 1}]:` }).waitFor();
      const failed = await cell.locator('[data-mime-type="application/vnd.jupyter.error"]').allInnerTexts();
      assert.deepEqual(failed, [], `cell ${at}`);
      printed.push((await cell.locator('.jp-OutputArea-output').allInnerTexts()).join('\n'));
    }
    if (at + 1 < notebook.cells.length) await page.keyboard.press('ArrowDown');
  }
  return printed;
}

const read = (name: string): Notebook => JSON.parse(readFileSync(join(EXAMPLES, `${name}.ipynb`), 'utf8')) as Notebook;

test('train.ipynb: every cell does what it says, and its message leads to the page of its run', {
  timeout: 600_000,
}, async () => {
  const notebook = read('train');
  const short = { id: 'short', cell_type: 'code', metadata: {}, execution_count: null, outputs: [] };
  notebook.cells.unshift({ ...short, source: '%env TRAIN_SECONDS=2' });
  const page = await openNotebook('train', notebook, ['--purpose', 'text generation']);
  const printed = await runAll(page, notebook);
  assert.match(printed.join('\n'), /validation loss \d\.\d+ -> \d\.\d+/);
  assert.match(printed.at(-1) ?? '', /registered as tiny-gpt version 1/);
  await keepPicture(page, 'train');
  const link = page.locator('.jp-OutputArea-output a', { hasText: '/runs/' });
  const [run] = await Promise.all([context.waitForEvent('page'), link.click()]);
  await run.getByRole('heading', { name: 'Run tiny-gpt' }).waitFor({ timeout: PATIENCE_MS });
  const text = await run.locator('body').innerText();
  for (const part of ['train_loss', 'valid_loss', 'sample.txt', 'loss.png', 'topics', 'FINISHED'])
    assert.ok(text.includes(part), part);
  await keepPicture(run, 'train-run');
  await run.close();
  await page.close();
});

test('generate.ipynb: a sandbox that was granted the model alone loads it and writes text', {
  timeout: 600_000,
}, async () => {
  const notebook = read('generate');
  const page = await openNotebook('generate', notebook, [
    '--grant',
    'model:tiny-gpt/1',
    '--purpose',
    'text generation',
  ]);
  const [loaded = '', text = ''] = await runAll(page, notebook);
  assert.match(loaded, /loaded [0-9a-f]{32}|loaded m-[0-9a-f]+/);
  // A model of a few steps writes any bytes, also such as move a terminal's cursor over what was there.
  const [first = '', second = '', ...rest] = text.split(/-{60}/);
  assert.ok(first.trim() !== '' && second.trim() !== '' && first !== second, text);
  assert.equal(rest.length, 1);
  await keepPicture(page, 'generate');
});
