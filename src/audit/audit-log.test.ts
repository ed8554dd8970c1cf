import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { type Database, rawSql, sql } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { type AuditLog, openAuditLog } from './audit-log.ts';
import { selectEntryRows } from './audit-store.ts';
import { createSigner, type Signer } from './checkpoint.ts';
import { type Committer, createCommitter } from './committer.ts';
import { type EntryDraft, viewEntry } from './entry.ts';
import { erasePersonal } from './erase-personal.ts';
import { proveEntry, verifyEntryProof } from './prove-entry.ts';
import { publishTo } from './tile-publisher.ts';
import { decodeBundle, encodeBundle } from './tiles.ts';
import { verifyFolder } from './verify-folder.ts';
import { verifyLog } from './verify-log.ts';

const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const draft = (n: number): EntryDraft => ({
  time: 1_700_000_000_000 + n,
  actor: { type: 'user', id: `user${n % 3}`, user: `user${n % 3}` },
  action: 'run.log',
  object: { kind: 'run', id: `r${n}` },
  decision: null,
  outcome: 'ok',
  requestId: `req-${n}`,
});
const SIZE = 700;

describe('the audit log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-audit-'));
  const tiles = join(folder, 'tiles');
  let database: Database;
  let signer: Signer;
  let log: AuditLog;
  let committer: Committer;
  const store = join(folder, 'state.db');

  before(async () => {
    database = await openDatabase(`sqlite:${store}`);
    signer = createSigner('fumehood.local/test', newKey());
    log = await openAuditLog({ database, signer, clock: systemClock });
    committer = createCommitter({ database, log });
    for (let n = 0; n < SIZE; n += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => committer.commit(async () => ({ entries: [draft(n + i)], answer: n }))),
      );
    }
    await publishTo({ database, publicKey: signer.publicKey }, tiles, 0);
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const verify = (): Promise<{ ok: boolean; findings: { seq?: number; what: string }[] }> =>
    verifyLog({ database, publicKey: signer.publicKey, folder: tiles });
  const copyOfTiles = (): string => {
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(tiles, copy, { recursive: true });
    return copy;
  };
  /** Runs `work` on a changed store and puts the store back. */
  const tampered = async (statement: ReturnType<typeof sql>, expected: RegExp): Promise<void> => {
    const undo = new Error('undo');
    await assert.rejects(
      database.transaction(async (tx) => {
        await tx.run(statement);
        const view: Database = { ...database, read: (body) => body(tx) };
        const found = await verifyLog({
          database: view,
          publicKey: signer.publicKey,
          folder: tiles,
        });
        assert.equal(found.ok, false);
        assert.match(found.findings[0]?.what ?? '', expected);
        throw undo;
      }),
      undo,
    );
  };

  it('verifies when nothing was touched, in the store and offline', async () => {
    assert.deepEqual((await verify()).findings, []);
    const offline = verifyFolder({ dir: tiles, publicKey: signer.publicKey });
    assert.deepEqual(offline.findings, []);
    assert.equal(offline.size, SIZE);
  });

  it('verifies whatever the words of its callers hold: NULs, halves of characters, as keys and values', async () => {
    const odd = 'a\ud800\0b\udc00';
    const own = await openDatabase(`sqlite:${join(folder, 'odd.db')}`);
    try {
      const commits = createCommitter({
        database: own,
        log: await openAuditLog({ database: own, signer, clock: systemClock }),
      });
      for (const kind of ['run', 'user'])
        await commits.commit(async () => ({
          entries: [{ ...draft(1), object: { kind, id: odd }, requestId: odd, details: { [odd]: odd } }],
          answer: undefined,
        }));
      await commits.commit(async () => ({
        entries: [{ ...draft(2), actor: { type: 'user', id: odd, user: odd }, personal: { [odd]: odd } }],
        answer: undefined,
      }));
      const published = join(folder, 'odd');
      await publishTo({ database: own, publicKey: signer.publicKey }, published, 0);
      const { findings } = await verifyLog({ database: own, publicKey: signer.publicKey, folder: published });
      assert.deepEqual(findings, []);
      const rows = await own.read((reader) => selectEntryRows(reader, 0, 3));
      for (const { leaf } of rows) assert.ok((JSON.parse(leaf) as { object: { id: string } }).object.id.isWellFormed());
    } finally {
      await own.close();
    }
  });

  it('proves any entry to somebody who has only the public key', async () => {
    for (const seq of [0, 1, 255, 256, 511, 699]) {
      const proof = await database.read((reader) => proveEntry(reader, seq));
      assert.equal(verifyEntryProof(proof, signer.publicKey), true);
      assert.equal(
        verifyEntryProof({ ...proof, leaf: proof.leaf.replace('run.log', 'run.lag') }, signer.publicKey),
        false,
      );
    }
  });

  it('goes on from the same tree after it is opened again, and refuses another key', async () => {
    const again = await openAuditLog({ database, signer, clock: systemClock });
    assert.equal(again.size(), SIZE);
    await assert.rejects(
      openAuditLog({ database, signer: createSigner('fumehood.local/test', newKey()), clock: systemClock }),
      /key's signature/,
    );
  });

  it('finds an entry that was edited, deleted, or edited together with its hash', async () => {
    await tampered(
      sql`update audit_entries set leaf = replace(leaf, 'run.log', 'run.get') where seq = 300`,
      /entry 300 was changed/,
    );
    await tampered(sql`delete from audit_entries where seq = 41`, /entry 41 is missing/);
    await tampered(
      sql`update audit_entries set leaf = (select leaf from audit_entries where seq = 8), leaf_hash = (select leaf_hash from audit_entries where seq = 8) where seq = 7`,
      /entry 7 says/,
    );
  });

  it('finds a tail that was cut and entries that stand under no checkpoint', async () => {
    await tampered(sql`delete from audit_entries where seq >= 650`, /entries 650 to 699 are gone/);
    await tampered(sql`delete from audit_checkpoints where size > 600`, /under no checkpoint|not in the store/);
  });

  it('finds a personal value that is not the one committed to, and accepts one that was erased', async () => {
    await tampered(
      sql`update audit_entries set actor_opening = replace(actor_opening, 'user2', 'user1') where seq = 5`,
      /personal values beside entry 5/,
    );
    const undo = new Error('undo');
    await assert.rejects(
      database.transaction(async (tx) => {
        assert.ok((await erasePersonal(tx, 'user1')).asActor > 200);
        const [row] = await selectEntryRows(tx, 1, 2);
        assert.equal(viewEntry(row?.leaf ?? '', row?.openings ?? {}, '').actor.id, 'erased');
        const found = await verifyLog({
          database: { ...database, read: (body) => body(tx) },
          publicKey: signer.publicKey,
          folder: tiles,
        });
        assert.deepEqual(found.findings, []);
        throw undo;
      }),
      undo,
    );
    const [row] = await database.read((reader) => selectEntryRows(reader, 1, 2));
    assert.ok(!(row?.leaf ?? '').includes('user1'), 'the name of a person is not in the leaf');
  });

  it('names the entry of a published bundle in which one byte was flipped', () => {
    const dir = copyOfTiles();
    const path = join(dir, 'tile/entries/001');
    const bundle = readFileSync(path);
    const entries = decodeBundle(bundle) ?? [];
    const changed = entries.map((entry, index) =>
      index === 44 ? Buffer.from(entry.toString().replace('"ok"', '"no"')) : entry,
    );
    writeFileSync(path, encodeBundle(changed.map(String)));
    const found = verifyFolder({ dir, publicKey: signer.publicKey });
    assert.equal(found.findings[0]?.seq, 300);
  });

  it('names the first entry of a published bundle that was deleted, moved, inserted or cut', () => {
    const changes: [string, (entries: Buffer[]) => Buffer[]][] = [
      ['deleted', (entries) => entries.toSpliced(44, 1)],
      ['moved', (entries) => entries.toSpliced(44, 2, ...entries.slice(44, 46).reverse())],
      ['inserted', (entries) => entries.toSpliced(44, 0, Buffer.from('{}'))],
      ['cut', (entries) => entries.slice(0, 44)],
    ];
    for (const [name, change] of changes) {
      const dir = copyOfTiles();
      const path = join(dir, 'tile/entries/001');
      writeFileSync(path, encodeBundle(change(decodeBundle(readFileSync(path)) ?? []).map(String)));
      assert.equal(verifyFolder({ dir, publicKey: signer.publicKey }).findings[0]?.seq, 300, name);
    }
  });

  it('raises no alarm while entries are written and published', async () => {
    const dir = copyOfTiles();
    const more = Array.from({ length: 100 }, (_, n) => committer.commit(async () => ({ entries: [draft(SIZE + n)] })));
    const flushTiles = async (): Promise<void> => {
      await publishTo({ database, publicKey: signer.publicKey }, dir, SIZE);
    };
    await flushTiles();
    const found = await verifyLog({ database, publicKey: signer.publicKey, folder: dir });
    await Promise.all(more);
    assert.deepEqual(found.findings, []);
    const earlier = readFileSync(join(tiles, 'checkpoint'));
    await flushTiles();
    writeFileSync(join(dir, 'checkpoint'), earlier);
    const between = verifyFolder({ dir, publicKey: signer.publicKey });
    assert.deepEqual([between.size, between.findings], [SIZE, []], 'tiles ahead of their checkpoint are no alarm');
  });

  it('finds a changed tile, a changed checkpoint and another key', () => {
    const dir = copyOfTiles();
    const tile = join(dir, 'tile/1/000.p/2');
    const hashes = readFileSync(tile);
    hashes.writeUInt8(hashes.readUInt8(3) ^ 1, 3);
    writeFileSync(tile, hashes);
    assert.match(verifyFolder({ dir, publicKey: signer.publicKey }).findings[0]?.what ?? '', /tile\/1/);
    const other = copyOfTiles();
    writeFileSync(
      join(other, 'checkpoint'),
      readFileSync(join(other, 'checkpoint'), 'utf8').replace('\n700\n', '\n699\n'),
    );
    assert.match(verifyFolder({ dir: other, publicKey: signer.publicKey }).findings[0]?.what ?? '', /signature/);
    const stranger = createSigner('fumehood.local/test', newKey()).publicKey;
    assert.match(verifyFolder({ dir: tiles, publicKey: stranger }).findings[0]?.what ?? '', /signature/);
  });

  it('finds a log that was rolled back or forked, with a retained checkpoint', async () => {
    const retained = readFileSync(join(tiles, 'checkpoint'), 'utf8');
    const short = await openDatabase('sqlite::memory:');
    const shortLog = await openAuditLog({ database: short, signer, clock: systemClock });
    const shortCommitter = createCommitter({ database: short, log: shortLog });
    await shortCommitter.commit(async () => ({ entries: [draft(0), draft(1)] }));
    const dir = mkdtempSync(join(folder, 'short-'));
    await publishTo({ database: short, publicKey: signer.publicKey }, dir, 0);
    assert.equal(verifyFolder({ dir, publicKey: signer.publicKey }).ok, true, 'a shorter log alone looks right');
    assert.match(
      verifyFolder({ dir, publicKey: signer.publicKey, retained }).findings[0]?.what ?? '',
      /cut or rolled back/,
    );
    await Promise.all(
      Array.from({ length: 750 }, (_, n) => shortCommitter.commit(async () => ({ entries: [draft(n + 2)] }))),
    );
    await publishTo({ database: short, publicKey: signer.publicKey }, dir, 2);
    assert.match(verifyFolder({ dir, publicKey: signer.publicKey, retained }).findings[0]?.what ?? '', /forked/);
    await short.close();
  });

  it('undoes an act that throws, with nothing left of it, while the others of its batch are kept', async () => {
    await database.transaction((tx) => tx.run(rawSql('create table if not exists acts (n bigint)')));
    const before = log.size();
    const results = await Promise.allSettled([
      committer.commit(async (tx) => ({ entries: [draft(1)], answer: await tx.run(sql`insert into acts values (1)`) })),
      committer.commit(async (tx) => {
        await tx.run(sql`insert into acts values (2)`);
        throw new Error('no');
      }),
      committer.commit(async (tx) => ({ entries: [draft(3)], answer: await tx.run(sql`insert into acts values (3)`) })),
    ]);
    assert.deepEqual(
      results.map((one) => one.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(
      (await database.read((reader) => reader.all<{ n: number }>(sql`select n from acts order by n`))).map(
        (row) => row.n,
      ),
      [1, 3],
    );
    assert.equal(log.size(), before + 2);
  });

  it('answers nothing but unavailable when the log cannot be written', async () => {
    const broken = createCommitter({
      database,
      log: { begin: async () => undefined, append: async () => Promise.reject(new Error('disk full')) },
    });
    await assert.rejects(
      broken.commit(async (tx) => ({ entries: [draft(1)], answer: await tx.run(sql`insert into acts values (9)`) })),
      /Nothing was done/,
    );
    const rows = await database.read((reader) => reader.all(sql`select n from acts where n = 9`));
    assert.equal(rows.length, 0);
  });
});
