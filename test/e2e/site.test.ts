/** The documentation as a site: whole, readable without a network, on a phone and by keyboard. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { buildSite } from '#src/cli/build-site.ts';
import { keepPicture, startBrowser } from '../browser.ts';

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

describe('the documentation as a site', () => {
  let folder: string;
  let browser: Browser;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fumehood-site-'));
    await buildSite({ folder, env: process.env });
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A page of the site from the disk; `foreign` gathers what it asks for from elsewhere. */
  const visit = async (path: string, viewport: { width: number; height: number }) => {
    const page: Page = await browser.newPage({ viewport });
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) foreign.push(request.url());
    });
    await page.goto(pathToFileURL(join(folder, path)).toString());
    return { page, foreign };
  };

  it('is read from the disk and asks the network for nothing', async () => {
    const { page, foreign } = await visit('index.html', DESK);
    await page.getByRole('link', { name: 'Tutorials' }).first().click();
    await page.waitForLoadState();
    assert.match(page.url(), /tutorials\//);
    await keepPicture(page, 'site-desk');
    assert.deepEqual(foreign, []);
    await page.close();
  });

  it('is searched and read with the keyboard alone', async () => {
    const { page } = await visit('index.html', DESK);
    await page.keyboard.press('Tab');
    assert.match(await page.evaluate<string>('document.activeElement.textContent'), /Skip to content/);
    await page.keyboard.press('/');
    await page.keyboard.type('restrict egress');
    await page.locator('.md-search-result__link').first().waitFor();
    await keepPicture(page, 'site-search');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/restrict-egress/);
    await page.close();
  });

  it('fits a phone: nothing but code is wider than the screen', async () => {
    for (const path of [
      'index.html',
      'how-to/connect-clients.html',
      'reference/configuration.html',
      'runbook/incidents.html',
    ]) {
      const { page } = await visit(path, PHONE);
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      await keepPicture(page, `site-phone-${path.replaceAll('/', '-')}`);
      assert.ok(width <= PHONE.width, `${path} is ${width} wide`);
      await page.close();
    }
  });

  it('lists every page in llms.txt, each there as Markdown too', () => {
    const links = [...readFileSync(join(folder, 'llms.txt'), 'utf8').matchAll(/^- \[(.+)\]\((.+)\): (.+)$/gm)];
    assert.ok(links.length > 20);
    for (const [, title, path = ''] of links) assert.ok(existsSync(join(folder, path)), `${title}: ${path}`);
  });
});
