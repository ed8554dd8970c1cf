import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '../driver.ts';
import { output, type PlainAgent, startAgent } from './plain-agent-fixture.ts';

describe('files through an agent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-agent-files-'));
  let agent: PlainAgent;
  let session: Session;
  before(async () => {
    agent = await startAgent(folder);
    session = agent.session;
  });
  after(() => {
    agent.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('writes whole files or none, reads, lists and removes them, and refuses a FIFO', async () => {
    const file = join(folder, 'data.bin');
    const content = Buffer.alloc(3_000_000, 7);
    assert.deepEqual(await session.files.write(file, Readable.from([content]), { mode: 0o640 }), {
      sizeBytes: 3_000_000,
    });
    assert.ok((await buffer(await session.files.read(file))).equals(content));
    assert.equal((await session.files.stat(file)).mode, 0o640);
    assert.ok((await session.files.list(folder)).some((info) => info.name === 'data.bin' && info.kind === 'file'));
    await output(await session.exec({ argv: ['mkfifo', join(folder, 'fifo')] }));
    await assert.rejects(session.files.read(join(folder, 'fifo')), /not a regular file/);
    await assert.rejects(session.files.read(join(folder, 'nothing')), { code: 'not_found' });
    await session.files.makeDirectory(join(folder, 'deep/er'));
    await assert.rejects(session.files.remove(join(folder, 'deep')));
    await session.files.remove(join(folder, 'deep'), { recursive: true });
    await assert.rejects(session.files.stat(join(folder, 'deep')), { code: 'not_found' });
    const broken = new Readable({ read() {} });
    broken.push('half');
    setTimeout(() => broken.destroy(new Error('gone')), 50);
    await assert.rejects(session.files.write(join(folder, 'half'), broken));
    await sleep(100);
    assert.ok(!(await session.files.list(folder)).some((info) => info.name.includes('half')));
  });

  /** Watches a folder of its own; `until` waits for a change and gives all that came. */
  async function watching(name: string) {
    const top = join(folder, name);
    mkdirSync(top, { recursive: true });
    const seen: string[] = [];
    let told = (): void => undefined;
    const ended = Promise.withResolvers<void>();
    const stop = await session.files.watch(top, {
      onChange: ({ path, kind }) => {
        seen.push(`${kind} ${path.slice(top.length)}`);
        told();
      },
      onEnd: ended.resolve,
    });
    const until = async (wanted: string): Promise<string[]> => {
      while (!seen.includes(wanted)) await new Promise<void>((resolve) => (told = resolve));
      return seen;
    };
    return { top, until, stop, ended: ended.promise };
  }

  it('tells what is made, written and removed below a folder, also in a folder that just appeared', async () => {
    const { top, until, stop } = await watching('watched');
    mkdirSync(join(top, 'new/deep'), { recursive: true });
    writeFileSync(join(top, 'new/deep/first'), 'x');
    await until('created /new/deep/first');
    writeFileSync(join(top, 'new/deep/first'), 'y');
    await until('modified /new/deep/first');
    rmSync(join(top, 'new'), { recursive: true });
    await until('deleted /new');
    stop();
  });

  it('tells a folder that was renamed by its new name, and what moved out no more', async () => {
    const { top, until, stop } = await watching('renamed');
    mkdirSync(join(top, 'old'));
    await until('created /old');
    renameSync(join(top, 'old'), join(top, 'new'));
    await until('created /new');
    writeFileSync(join(top, 'new/file'), 'x');
    await until('created /new/file');
    renameSync(join(top, 'new'), join(folder, 'outside'));
    await until('deleted /new');
    writeFileSync(join(folder, 'outside/unseen'), 'x');
    writeFileSync(join(top, 'last'), 'x');
    const seen = await until('created /last');
    assert.ok(!seen.some((change) => change.includes('unseen')), seen.join());
    stop();
  });

  it('ends when the folder is removed', async () => {
    const { top, until, ended } = await watching('short-lived');
    rmSync(top, { recursive: true });
    await until('deleted ');
    await ended;
  });

  it('says that changes were missed when more folders appear than can be watched', async () => {
    const { top, until, stop } = await watching('many');
    mkdirSync(join(folder, 'wide'));
    for (let at = 0; at < 4200; at += 1) mkdirSync(join(folder, 'wide', String(at)));
    renameSync(join(folder, 'wide'), join(top, 'wide'));
    await until('missed /wide');
    stop();
    // The agent has let go of it: the next one is served.
    (await watching('next')).stop();
  });
});
