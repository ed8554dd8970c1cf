import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadLogKey } from './log-key.ts';

describe("the audit log's key", () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-log-key-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is made once, readable by its owner alone, and is the same from then on', () => {
    const path = join(folder, 'made');
    const key = loadLogKey(path, { logIsEmpty: true });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(loadLogKey(path, { logIsEmpty: false }), key);
  });

  it('is refused when others can read it', () => {
    const path = join(folder, 'open');
    loadLogKey(path, { logIsEmpty: true });
    chmodSync(path, 0o640);
    assert.throws(() => loadLogKey(path, { logIsEmpty: false }), /can be read by others \(mode 640\)/);
  });

  it('is not made anew for a log that has entries', () => {
    assert.throws(() => loadLogKey(join(folder, 'lost'), { logIsEmpty: false }), /has entries, but its key/);
  });
});
