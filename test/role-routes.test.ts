/** The role × route matrix: every route has its policy entry, and the reference page shows what holds. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from '#src/config/load-config.ts';
import { type RoleRow, renderRoleTable, roleRows } from '#src/http/role-table.ts';
import { readActionTable } from '#src/policies/default-bundle.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'reference', 'routes.md');

let home = '';
let url = '';
let stop: () => Promise<void> = async () => undefined;
let rows: RoleRow[] = [];
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'fumehood-roles-'));
  const { startControlPlane } = await import('#src/main.ts');
  const config = loadConfig({ home, flags: { listen: '127.0.0.1:0' }, env: {}, cwd: home });
  const plane = await startControlPlane(config);
  ({ url } = plane);
  stop = plane.close;
  const document = await (await fetch(`${url}/api/v1/openapi.json`)).json();
  rows = roleRows(document as Parameters<typeof roleRows>[0], readActionTable());
});
after(async () => {
  await stop();
  rmSync(home, { recursive: true, force: true });
});

test('every route has an entry in the default policy', () => {
  assert.ok(rows.length > 30);
  const without = rows
    .filter((row) => row.reach === undefined)
    .map((row) => `${row.method} ${row.path} (${row.action})`);
  assert.deepEqual(without, []);
});

test('every route refuses a caller without a token, before it looks at anything else', async () => {
  for (const { method, path } of rows) {
    const answer = await fetch(url + path.replace(/\{[^}]+\}/g, 'x'), { method });
    assert.equal(answer.status, 401, `${method} ${path}`);
    await answer.arrayBuffer();
  }
});

test('docs/reference/routes.md shows the matrix as it is (FUMEHOOD_UPDATE_REFERENCE=1 writes it)', () => {
  const page = renderRoleTable(rows);
  if (process.env.FUMEHOOD_UPDATE_REFERENCE === '1') {
    mkdirSync(dirname(PAGE), { recursive: true });
    writeFileSync(PAGE, page);
  }
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});
