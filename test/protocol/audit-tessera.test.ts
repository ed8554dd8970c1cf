import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { publishTo } from '#src/audit/tile-publisher.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { findFsck, isWholeByFsck } from './tessera-fsck.ts';

const draft = (n: number): EntryDraft => ({
  time: 1_700_000_000_000 + n,
  actor: { type: 'user', id: 'ada', user: 'ada' },
  action: 'object.read',
  object: { kind: 'object', id: `s3://bucket/${n}` },
  decision: null,
  outcome: 'ok',
  requestId: `req_${n}`,
});

it("Tessera's fsck accepts the published tiles as they grow, and not with one byte changed", async (t) => {
  const fsck = await findFsck();
  if ('missing' in fsck) return t.skip(`needs ${fsck.missing}`);
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-tessera-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const database = await openDatabase('sqlite::memory:');
  t.after(() => database.close());
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const signer = createSigner('fumehood.local/test', privateKey);
  const log = await openAuditLog({ database, signer, clock: systemClock });
  const committer = createCommitter({ database, log });
  const tiles = join(folder, 'tiles');
  for (const size of [1, 256, 700, 66_000]) {
    const from = log.size();
    const entries = Array.from({ length: size - from }, (_, index) => draft(from + index));
    await committer.commit(async () => ({ entries }));
    await publishTo({ database, publicKey: signer.publicKey }, tiles, from);
    assert.equal(await isWholeByFsck(fsck.path, tiles, 20_000), true, `a log of ${size} entries`);
  }
  const changed = join(folder, 'changed');
  cpSync(tiles, changed, { recursive: true });
  const path = join(changed, 'tile/entries/001');
  const bundle = readFileSync(path);
  bundle.writeUInt8(bundle.readUInt8(100) ^ 1, 100);
  writeFileSync(path, bundle);
  assert.equal(await isWholeByFsck(fsck.path, changed, 4000), false);
});
