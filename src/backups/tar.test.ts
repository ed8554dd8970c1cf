import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { padding, readTar, TAR_END, tarHead } from './tar.ts';

const archive = (files: Record<string, Buffer>): Buffer =>
  Buffer.concat([
    ...Object.entries(files).flatMap(([path, bytes]) => [
      tarHead(path, bytes.length, 1000),
      bytes,
      padding(bytes.length),
    ]),
    TAR_END,
  ]);

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function filesOf(bytes: Buffer, size = 777): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for await (const { path, content } of readTar(inChunks(bytes, size))) {
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(part);
    found[path] = Buffer.concat(parts);
  }
  return found;
}

const FILES = {
  'a.txt': Buffer.from('hello'),
  'b/empty': Buffer.alloc(0),
  'b/block': Buffer.alloc(512, 7),
  'c/large': Buffer.alloc(5000, 9),
};

test('what is written is read again, whatever the chunks, also by tar itself', async () => {
  for (const size of [1, 511, 512, 513, 100_000]) assert.deepEqual(await filesOf(archive(FILES), size), FILES);
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-tar-'));
  try {
    writeFileSync(join(folder, 'a.tar'), archive(FILES));
    execFileSync('tar', ['xf', 'a.tar'], { cwd: folder });
    for (const [path, bytes] of Object.entries(FILES)) assert.deepEqual(readFileSync(join(folder, path)), bytes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('sizes beyond 8 GiB have their own form', async () => {
  const size = 9 * 2 ** 30;
  const files = readTar(inChunks(Buffer.concat([tarHead('huge', size, 0), Buffer.alloc(1024)]), 512));
  const first = await files.next();
  assert.equal(first.value?.sizeBytes, size);
});

test('what is cut, changed or no plain file is refused', async () => {
  const whole = archive(FILES);
  for (const end of [0, 100, 513, 1500, 4000, whole.length - 1024])
    await assert.rejects(filesOf(whole.subarray(0, end)), { code: 'integrity' }, String(end));
  const changed = Buffer.from(whole);
  changed[0] = 0x2e;
  await assert.rejects(filesOf(changed), { code: 'integrity' });
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-tar-'));
  try {
    execFileSync('sh', ['-c', 'ln -s /etc/passwd link && tar cf link.tar link'], { cwd: folder });
    await assert.rejects(filesOf(readFileSync(join(folder, 'link.tar'))), { code: 'integrity' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
