import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { rotatingWrite } from './rotate-log.ts';

describe('a log that is rotated', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-rotate-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;

  function logTo({ maxBytes, files, before = '' }: { maxBytes: number; files: number; before?: string }) {
    count += 1;
    const path = join(folder, String(count), 'control.log');
    mkdirSync(join(folder, String(count)));
    const fd = openSync(path, 'a');
    writeSync(fd, before);
    const write = rotatingWrite((line) => void writeSync(fd, line), { fd, path, maxBytes, files });
    const read = (age: number): string => readFileSync(age === 0 ? path : `${path}.${age}`, 'utf8');
    return { path, fd, write, read };
  }
  const lineOf = (at: number): string => `${JSON.stringify({ at, text: 'ä'.repeat(at % 97) })}\n`;

  it('has every line once, whole and in order, over all its files, none of them larger than was agreed', () => {
    const { path, fd, write, read } = logTo({ maxBytes: 8192, files: 1000 });
    for (let at = 0; at < 3000; at += 1) {
      write(lineOf(at));
      // Somebody else writes to the same descriptor.
      if (at % 500 === 0) writeSync(fd, 'from elsewhere\n');
    }
    const ages = Array.from({ length: 1000 }, (_, age) => age).filter(
      (age) => age === 0 || existsSync(`${path}.${age}`),
    );
    assert.ok(ages.length > 20);
    const lines = ages.reverse().map(read).join('').split('\n').slice(0, -1);
    const own = lines.filter((line) => line !== 'from elsewhere');
    assert.deepEqual(
      own,
      Array.from({ length: 3000 }, (_, at) => lineOf(at).trimEnd()),
    );
    assert.equal(lines.length - own.length, 6);
    for (const age of ages) assert.ok(Buffer.byteLength(read(age)) <= 8192 + 64);
    closeSync(fd);
  });

  it('keeps so many older files and no more; a file that was too large before is rotated first', () => {
    const { path, fd, write, read } = logTo({ maxBytes: 1024, files: 2, before: `${'old '.repeat(400)}\n` });
    write('first\n');
    assert.equal(read(0), 'first\n');
    assert.match(read(1), /^old /);
    for (let at = 0; at < 500; at += 1) write(lineOf(at));
    assert.ok(existsSync(`${path}.2`) && !existsSync(`${path}.3`));
    closeSync(fd);
    const none = logTo({ maxBytes: 1024, files: 0 });
    for (let at = 0; at < 500; at += 1) none.write(lineOf(at));
    assert.ok(statSync(none.path).size <= 1024 && !existsSync(`${none.path}.1`));
    closeSync(none.fd);
  });

  it('leaves alone what is not its file: another one of that name, or none', () => {
    const { path, fd, write } = logTo({ maxBytes: 100, files: 2 });
    rmSync(path);
    appendFileSync(path, 'of somebody else\n');
    for (let at = 0; at < 50; at += 1) write(lineOf(at));
    assert.equal(readFileSync(path, 'utf8'), 'of somebody else\n');
    assert.ok(statSync(`/proc/self/fd/${fd}`).size > 1000);
    closeSync(fd);
  });

  it('goes on in the same file when the older one cannot be written, and loses nothing', () => {
    const { path, fd, write, read } = logTo({ maxBytes: 200, files: 1 });
    mkdirSync(`${path}.1`);
    const lines = Array.from({ length: 100 }, (_, at) => lineOf(at));
    for (const line of lines) write(line);
    assert.equal(read(0), lines.join(''));
    assert.ok(!existsSync(`${path}.new`));
    closeSync(fd);
  });
});
