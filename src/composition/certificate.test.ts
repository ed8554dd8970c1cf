import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { makeAuthority } from '../../test/tls-files.ts';
import { readCertificate, watchCertificate } from './certificate.ts';

const folder = mkdtempSync(join(tmpdir(), 'fumehood-certificate-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const { issue } = makeAuthority(folder);
const good = issue(['DNS:*.apps.test', 'IP:127.0.0.1']);
const NOW = Date.now();

const refused = (
  files: { cert: string; key: string },
  appsDomain: string | undefined,
  field: string,
  why: RegExp,
): void =>
  assert.throws(
    () => readCertificate({ ...files, appsDomain }, NOW),
    (error) =>
      error instanceof AppError &&
      error.code === 'invalid' &&
      error.details.field === field &&
      why.test(error.message) &&
      error.hint !== '',
  );

test('a pair that belongs together, is in its time and names the wildcard is read', () => {
  const { cert, key } = readCertificate({ ...good, appsDomain: 'apps.test' }, NOW);
  assert.match(String(cert), /BEGIN CERTIFICATE/);
  assert.match(String(key), /BEGIN .*PRIVATE KEY/);
});

test('what no client could trust is refused with the file and the reason', () => {
  const text = join(folder, 'text.pem');
  writeFileSync(text, 'no certificate');
  refused({ ...good, cert: join(folder, 'none.pem') }, undefined, 'tls.cert', /none\.pem" cannot be read \(ENOENT\)/);
  refused({ ...good, cert: text }, undefined, 'tls.cert', /no PEM that can be used/);
  refused({ ...good, key: text }, undefined, 'tls.key', /no PEM that can be used/);
  refused({ ...good, key: issue(['DNS:other.test']).key }, undefined, 'tls.key', /is not that of the certificate/);
  refused(
    issue(['DNS:*.apps.test'], ['20200101000000Z', '20210101000000Z']),
    'apps.test',
    'tls.cert',
    /ended at 2021-01-01/,
  );
  refused(issue(['DNS:apps.test']), 'apps.test', 'apps.domain', /not good for \*\.apps\.test/);
});

test('a renewed pair is used once it is whole, and one that is not good never', async () => {
  const live = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key') };
  copyFileSync(good.cert, live.cert);
  copyFileSync(good.key, live.key);
  const used: string[] = [];
  const told: string[] = [];
  const stop = watchCertificate(
    { ...live, appsDomain: 'apps.test' },
    {
      nowMs: () => NOW,
      log: (_level, message) => void told.push(message),
      use: (renewed) => void used.push(String(renewed.cert)),
    },
  );
  const renewed = issue(['DNS:*.apps.test']);
  const latest = performance.now() + 60_000;
  const until = async (told: () => boolean): Promise<void> => {
    while (!told()) {
      assert.ok(performance.now() < latest, 'it did not come to pass within a minute');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  copyFileSync(renewed.cert, live.cert);
  await until(() => told.includes('the changed certificate is not used'));
  assert.deepEqual(used, []);
  copyFileSync(renewed.key, live.key);
  await until(() => used.length > 0);
  assert.match(used[0] ?? '', /BEGIN CERTIFICATE/);
  stop();
});
