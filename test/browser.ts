/** Headless Chromium for tests: Debian's package, installed when there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const PROGRAM = '/usr/bin/chromium';

/** Starts a browser of its own profile, which asks nothing of the network by itself. */
export function startBrowser(): Promise<Browser> {
  if (!existsSync(PROGRAM)) install();
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

function install(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]) => spawnSync('apt-get', args, { env, encoding: 'utf8' });
  const wanted = ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'];
  let done = apt(...wanted);
  if (done.status !== 0) {
    apt('update');
    done = apt(...wanted);
  }
  if (!existsSync(PROGRAM))
    throw new Error(`chromium could not be installed; run: apt-get ${wanted.join(' ')}\n${done.stderr}`);
}

/** Keeps a picture of the page in the folder that FUMEHOOD_TEST_SCREENSHOTS names, if it names one. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.FUMEHOOD_TEST_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
