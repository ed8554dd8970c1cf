import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { runDriverContract } from '../contract.ts';
import { ociDriver } from './oci-driver.ts';

const home = mkdtempSync(join(tmpdir(), 'fumehood-oci-'));
after(() => rmSync(home, { recursive: true, force: true }));

runDriverContract('oci', {
  create: () =>
    ociDriver.create({
      stateDir: join(home, 'driver'),
      pythonDir: join(import.meta.dirname, '../../../python'),
      log: () => undefined,
      nowMs: Date.now,
      config: {},
    }),
  real: true,
});
