/** Headless Chromium for tests: Debian's package, installed when there is none. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { havePackages } from '#src/cli/debian-package.ts';

const PROGRAM = '/usr/bin/chromium';

/** Starts a browser of its own profile, which asks nothing of the network by itself. */
export function startBrowser(): Promise<Browser> {
  havePackages({
    packages: ['chromium', 'fonts-dejavu-core'],
    find: () => existsSync(PROGRAM),
    need: 'The tests of pages need Chromium',
  });
  return chromium.launch({
    executablePath: PROGRAM,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Keeps a picture of the page in the folder that FUMEHOOD_TEST_SCREENSHOTS names, if it names one. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.FUMEHOOD_TEST_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
