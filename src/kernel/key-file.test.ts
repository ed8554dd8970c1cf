import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openEnvelope, sealEnvelope } from './envelope.ts';
import { AppError } from './errors.ts';
import { openKeyFile } from './key-file.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

describe('key file', () => {
  let home = '';
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'fumehood-keys-'));
  });
  after(() => rm(home, { recursive: true }));

  it('makes a key of mode 0600 once, and opens the same one again', async () => {
    const folder = join(home, 'once');
    const first = await openKeyFile({ folder, keyName: 'objects', hasData: false });
    const wrapped = await first.wrap(Buffer.alloc(32, 7), { use: 'test' });
    assert.deepEqual({ ...wrapped, wrapped: undefined }, { keyName: 'objects', keyVersion: 1, wrapped: undefined });
    assert.equal((await stat(join(folder, 'objects.key'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ['objects.key']);
    const again = await openKeyFile({ folder, keyName: 'objects', hasData: true });
    assert.deepEqual(Buffer.from(await again.unwrap(wrapped, { use: 'test' })), Buffer.alloc(32, 7));
  });

  it('opens a wrapped key only in the context that it was wrapped in', async () => {
    const provider = await openKeyFile({ folder: join(home, 'context'), keyName: 'k', hasData: false });
    const wrapped = await provider.wrap(Buffer.alloc(32), { object: 'a' });
    await assert.rejects(provider.unwrap(wrapped, { object: 'b' }), refusedAs('integrity'));
    const bytes = Buffer.from(wrapped.wrapped);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await assert.rejects(provider.unwrap({ ...wrapped, wrapped: bytes }, { object: 'a' }), refusedAs('integrity'));
  });

  it('keeps what an older version wrapped readable after rotation', async () => {
    const folder = join(home, 'rotate');
    const provider = await openKeyFile({ folder, keyName: 'k', hasData: false });
    const old = await sealEnvelope(provider, Buffer.from('text'), { a: '1' });
    assert.equal(await provider.rotate(), 2);
    const reopened = await openKeyFile({ folder, keyName: 'k', hasData: true });
    assert.equal((await reopened.wrap(Buffer.alloc(32), {})).keyVersion, 2);
    assert.equal(Buffer.from(await openEnvelope(reopened, old, { a: '1' })).toString(), 'text');
    await assert.rejects(openEnvelope(reopened, old, { a: '2' }), refusedAs('integrity'));
  });

  it('refuses a key file or folder that others may read', async () => {
    const folder = join(home, 'modes');
    await openKeyFile({ folder, keyName: 'k', hasData: false });
    await chmod(join(folder, 'k.key'), 0o640);
    await assert.rejects(openKeyFile({ folder, keyName: 'k', hasData: true }), refusedAs('unavailable'));
    await chmod(join(folder, 'k.key'), 0o600);
    await chmod(folder, 0o755);
    await assert.rejects(openKeyFile({ folder, keyName: 'k', hasData: true }), /chmod|not safe/);
  });

  it('never makes a new key when data is encrypted under a missing one', async () => {
    const folder = join(home, 'missing');
    await openKeyFile({ folder, keyName: 'k', hasData: false });
    await unlink(join(folder, 'k.key'));
    await assert.rejects(openKeyFile({ folder, keyName: 'k', hasData: true }), refusedAs('unavailable'));
    assert.deepEqual(await readdir(folder), []);
  });
});
