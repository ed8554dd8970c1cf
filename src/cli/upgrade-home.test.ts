import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { loadLogKey, logKeyPath, logOrigin } from '#src/audit/log-key.ts';
import { listMigrations, migrate } from '#src/database/migrate.ts';
import { openStore } from '#src/database/open-database.ts';
import { compareSchema } from '#src/database/schema-version.ts';
import { createOutput } from './output.ts';
import { checkUpgrade, upgradeLocked } from './upgrade-home.ts';

const MIGRATIONS = join(import.meta.dirname, '../database/migrations');

/** A home as the program of before the newest migration left it, with one entry in its log. */
async function olderHome(folder: string): Promise<string> {
  const [home, older] = [join(folder, 'home'), join(folder, 'migrations')];
  mkdirSync(join(home, 'keys'), { recursive: true });
  cpSync(MIGRATIONS, older, { recursive: true });
  const newest = listMigrations().at(-1);
  rmSync(join(older, `${String(newest?.version).padStart(3, '0')}-${newest?.name}.sql`));
  const database = await openStore(`sqlite:${join(home, 'state.db')}`);
  await migrate(database, older);
  const signer = createSigner(logOrigin(home), loadLogKey(logKeyPath(home), { logIsEmpty: true }));
  const log = await openAuditLog({ database, signer, clock: { nowMs: () => 1 } });
  await database.transaction((tx) =>
    log.append(tx, [
      {
        time: 1,
        actor: { type: 'system', id: 'fumehood' },
        action: 'test.begin',
        object: { kind: 'test', id: '1' },
        decision: null,
        outcome: 'ok',
        requestId: 'req-1',
      },
    ]),
  );
  await database.close();
  return home;
}

test('a store of an older program is told, backed up, and brought forward', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-upgrade-'));
  try {
    const home = await olderHome(folder);
    const env = { HOME: folder };
    const out = createOutput({ json: true, plain: true }, { stdout: process.stdout, stderr: process.stderr, env });
    const newest = listMigrations().at(-1)?.version;
    const found = await checkUpgrade({ home, env });
    assert.deepEqual(
      found?.pending.map((step) => step.version),
      [newest],
    );
    const api = { connection: () => ({ url: '', token: undefined }) } as never;
    const done = await upgradeLocked({ home, env, out, api });
    assert.ok(done?.backup?.startsWith(join(home, 'backups')) && existsSync(done.backup));
    const store = await openStore(`sqlite:${join(home, 'state.db')}`);
    assert.deepEqual(await compareSchema(store), { unknown: [], pending: [] });
    await store.close();
    assert.deepEqual((await checkUpgrade({ home, env }))?.pending, []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
