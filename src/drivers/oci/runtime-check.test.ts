import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { refusalOf, runtimeCheck } from './runtime-check.ts';

describe('what is said of an OCI runtime', () => {
  const path = process.env.PATH;
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-runtimes-'));
    process.env.PATH = [folder, '/nonexistent', 'relative'].join(delimiter);
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
  });
  const install = (name: string, script: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  };

  it('one that is not installed is refused, with what installs it', async () => {
    for (const [name, fix] of [
      ['runc', 'apt-get install -y runc'],
      ['crun', 'apt-get install -y crun'],
      ['runsc', 'fumehood setup runsc'],
    ] as const) {
      const { works, check } = await runtimeCheck(name);
      assert.deepEqual(
        [works, check.state, check.found, check.consequence, check.fix],
        [false, 'missing', 'not installed', `--runtime ${name} is refused.`, fix],
      );
    }
  });

  it('one that tells its version is used', async () => {
    install('runc', 'echo "runc version 1.3.0"; echo more');
    const { works, check } = await runtimeCheck('runc');
    assert.deepEqual([works, check.found, check.consequence, check.fix], [true, 'runc version 1.3.0', '', '']);
  });

  it('one that fails is refused with how', async () => {
    install('runc', 'exit 7');
    assert.match((await runtimeCheck('runc')).check.found, /^fails \(7\)$/);
  });

  it('crun is refused on hybrid control groups, with the boot parameter that mends it, and on no others', () => {
    const refusal = refusalOf('crun', 'crun version 1.8.1', true);
    assert.match(refusal?.reason ?? '', /hybrid control groups/);
    assert.match(refusal?.fix ?? '', /systemd\.unified_cgroup_hierarchy=1/);
    assert.equal(refusalOf('crun', 'crun version 1.8.1', false), undefined);
    assert.equal(refusalOf('runc', 'runc version 1.1.5', true), undefined);
  });

  it('gVisor is used from the release on that can be sealed, and what is no release is not', async () => {
    for (const version of [
      'runsc version release-20221219.0',
      'runsc version release-20260101.0',
      'runsc version VERSION_MISSING',
      'runsc version 0.0~20221219.0',
    ])
      assert.match(refusalOf('runsc', version, true)?.reason ?? '', /from 20260905 on/);
    install('runsc', 'echo "runsc version release-20260905.0"');
    const { works, check } = await runtimeCheck('runsc');
    assert.equal(works, true);
    assert.match(check.found, /release-20260905\.0; .*ends$/);
  });
});
