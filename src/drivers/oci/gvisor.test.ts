/** The contract on gVisor, where it is installed: "fumehood setup runsc" builds it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runDriverContract } from '../contract.ts';
import { ociDriver } from './oci-driver.ts';
import { runtimeCheck } from './runtime-check.ts';

const { works, check } = await runtimeCheck('runsc');
if (works) {
  const home = mkdtempSync(join(tmpdir(), 'fumehood-runsc-'));
  after(() => rmSync(home, { recursive: true, force: true }));
  runDriverContract('oci with runsc', {
    create: () =>
      ociDriver.create({
        stateDir: join(home, 'driver'),
        pythonDir: join(import.meta.dirname, '../../../python'),
        log: () => undefined,
        nowMs: Date.now,
        config: {},
      }),
    real: true,
    runtime: 'runsc',
    endsWithoutMemory: true,
  });
} else {
  test('the driver contract: oci with runsc', { skip: `runsc cannot be used here: ${check.found}` }, () => undefined);
}
