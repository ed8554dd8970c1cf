import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { removeTree } from './remove-tree.ts';

describe('the removal of a folder', () => {
  let home = '';
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'fumehood-remove-'));
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  it('takes all that is in it, and what links lead to stays', async () => {
    const doomed = join(home, 'doomed');
    const kept = join(home, 'kept');
    mkdirSync(join(doomed, 'a', 'b'), { recursive: true });
    mkdirSync(kept);
    writeFileSync(join(kept, 'file'), 'kept');
    for (let at = 0; at < 50; at += 1) writeFileSync(join(doomed, 'a', `file-${at}`), 'gone');
    symlinkSync(kept, join(doomed, 'a', 'b', 'folder'));
    symlinkSync(join(kept, 'file'), join(doomed, 'file'));
    symlinkSync(join(home, 'nowhere'), join(doomed, 'dangling'));
    await removeTree(doomed);
    assert.equal(existsSync(doomed), false);
    assert.deepEqual(readdirSync(kept), ['file']);
  });

  it('removes a file or a link itself, and is content with nothing', async () => {
    const kept = join(home, 'kept');
    const link = join(home, 'link');
    symlinkSync(kept, link);
    await removeTree(link);
    await removeTree(join(home, 'missing'));
    assert.deepEqual(readdirSync(home), ['kept']);
    await removeTree(join(kept, 'file'));
    assert.deepEqual(readdirSync(kept), []);
  });

  it('is undone by two at once no more than by one', async () => {
    const doomed = join(home, 'twice');
    mkdirSync(doomed);
    for (let at = 0; at < 50; at += 1) writeFileSync(join(doomed, `file-${at}`), '');
    await Promise.all([removeTree(doomed), removeTree(doomed)]);
    assert.equal(existsSync(doomed), false);
  });
});
