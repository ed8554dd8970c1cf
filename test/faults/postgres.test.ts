/** A store on PostgreSQL that is lost: while nothing runs, in a statement, in a commit, and for a while. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import { type Database, rawSql, sql } from '#kernel/sql.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { type Committer, createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { type PrivatePostgres, startPostgres } from '#src/cli/private-postgres.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { openPostgres } from '#src/database/postgres.ts';
import { backendsOf } from './backends.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';

const TIMEOUT_MS = 1500;
const MOST_MS = 20_000;

const { privateKey } = generateKeyPairSync('ed25519');
const signer = createSigner('fumehood.local/faults', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

const draft = (n: number): EntryDraft => ({
  time: n,
  actor: { type: 'system', id: 'fumehood' },
  action: 'test',
  object: { kind: 'thing', id: String(n) },
  decision: null,
  outcome: 'ok',
  requestId: `req-${n}`,
});

const isUnavailable = (message: RegExp) => (thrown: unknown) =>
  thrown instanceof AppError && thrown.code === 'unavailable' && message.test(thrown.message);

/** Tries until it works: a server that comes back is not there at once. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe('a store on PostgreSQL', () => {
  let folder: string;
  let postgres: PrivatePostgres;
  let proxy: CuttingProxy;
  let database: Database;
  let committer: Committer;
  let next = 0;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-faults-'));
    postgres = await startPostgres({ folder, say: console.log });
    proxy = await startCuttingProxy(postgres.url);
  });
  after(async () => {
    await proxy?.close();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    database = await openDatabase(proxy.url, { timeoutMs: TIMEOUT_MS });
    await database.transaction((tx) => tx.run(rawSql('create table if not exists things (n bigint primary key)')));
    const log = await openAuditLog({ database, signer, clock: systemClock });
    committer = createCommitter({ database, log, findOutWithinMs: 3000 });
  });
  afterEach(() => database.close());

  const act = (n: number): Promise<number> =>
    committer.commit(async (tx) => {
      await tx.run(sql`insert into things values (${n})`);
      return { entries: [draft(n)], answer: n };
    });
  const isThere = async (n: number): Promise<{ thing: boolean; entry: boolean }> => {
    const own = openPostgres({ url: postgres.url, connections: 1 });
    try {
      return await own.read(async (reader) => ({
        thing: (await reader.get(sql`select n from things where n = ${n}`)) !== undefined,
        entry: (await reader.get(sql`select seq from audit_entries where request_id = ${`req-${n}`}`)) !== undefined,
      }));
    } finally {
      await own.close();
    }
  };
  const fresh = (): number => {
    next += 1;
    return next;
  };

  it('answers a commit whose answer was lost as done when it was done', async () => {
    const n = fresh();
    await act(fresh());
    proxy.cutAt('after');
    assert.equal(await act(n), n);
    assert.deepEqual(await isThere(n), { thing: true, entry: true });
    await act(fresh());
  });

  it('answers a commit that the server never had as not done, and it is not', async () => {
    const n = fresh();
    proxy.cutAt('before');
    await assert.rejects(act(n), isUnavailable(/Nothing was done/));
    assert.deepEqual(await isThere(n), { thing: false, entry: false });
    await act(n);
    assert.deepEqual(await isThere(n), { thing: true, entry: true });
  });

  it('says that it does not know when the store stays away after a commit', async () => {
    const n = fresh();
    await act(fresh());
    proxy.cutAt('gone');
    await assert.rejects(act(n), isUnavailable(/not known whether this was done/));
    proxy.reopen();
    await act(fresh());
    assert.deepEqual(await isThere(n), { thing: false, entry: false });
  });

  it('loses no acknowledged commit when the server is killed, and goes on when it is back', async () => {
    const done: number[] = [];
    const one = async (): Promise<void> => {
      const n = fresh();
      await act(n).then(
        () => done.push(n),
        () => undefined,
      );
    };
    const load = (async () => {
      for (let at = 0; at < 60; at += 1) await one();
    })();
    for (let kill = 0; kill < 3; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      // A killed backend makes the server end all others and recover.
      const [pid] = backendsOf(postgres);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    await load;
    await eventually(() => act(fresh()));
    assert.ok(done.length > 0);
    for (const n of done) assert.deepEqual(await isThere(n), { thing: true, entry: true }, `act ${n}`);
  });

  it('goes on after a restart and after a stop without being started again itself', async () => {
    await act(fresh());
    await postgres.stop();
    const began = performance.now();
    await assert.rejects(act(fresh()), isUnavailable(/does not answer|cannot be reached/));
    await assert.rejects(
      database.read((reader) => reader.all(sql`select 1 as one`)),
      isUnavailable(/does not answer|cannot be reached/),
    );
    assert.ok(performance.now() - began < MOST_MS);
    await postgres.start();
    await eventually(() => act(fresh()));
  });

  it('gives up on a server that hangs, at any point, and goes on when it wakes', async () => {
    await act(fresh());
    const pids = [postgres.pid(), ...backendsOf(postgres)];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    const n = fresh();
    try {
      const began = performance.now();
      await assert.rejects(act(n), isUnavailable(/Nothing was done|not known/));
      await assert.rejects(
        database.read((reader) => reader.all(sql`select 1 as one`)),
        isUnavailable(/does not answer|cannot be reached|too long/),
      );
      assert.ok(performance.now() - began < MOST_MS, `${performance.now() - began} ms`);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await eventually(() => act(fresh()));
    assert.deepEqual(await isThere(n), { thing: false, entry: false });
  });

  it('is made once when two control planes open it for the first time at once', async () => {
    const schemas = ['twice_a', 'twice_b', 'twice_c', 'twice_d'];
    const admin = openPostgres({ url: postgres.url, connections: 1 });
    for (const schema of schemas) {
      await admin.transaction((tx) => tx.run(rawSql(`create schema ${schema}`)));
      const url = new URL(postgres.url);
      url.searchParams.set('options', `-c search_path=${schema}`);
      const opened = await Promise.all([1, 2, 3].map(() => openDatabase(url.toString())));
      for (const one of opened) await one.close();
    }
    await admin.close();
  });
});
