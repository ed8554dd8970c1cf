/** What follows from the routes: the role × route matrix, the OpenAPI document, its page, and the types of the TypeScript client. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from '#src/config/load-config.ts';
import { type RoleRow, renderRoleTable, roleRows } from '#src/http/role-table.ts';
import { readActionTable } from '#src/policies/default-bundle.ts';
import { type OpenApi, renderSchema } from '../clients/typescript/generate.ts';
import { renderRestApi } from './rest-api-page.ts';

const ROOT = join(import.meta.dirname, '..');

let home = '';
let url = '';
let stop: () => Promise<void> = async () => undefined;
let rows: RoleRow[] = [];
let document: OpenApi = { paths: {} };
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'fumehood-roles-'));
  const { startControlPlane } = await import('#src/main.ts');
  const config = loadConfig({ home, flags: { listen: '127.0.0.1:0', 'log.level': 'warn' }, env: {}, cwd: home });
  const plane = await startControlPlane(config);
  ({ url } = plane);
  stop = plane.close;
  document = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as OpenApi;
  rows = roleRows(document, readActionTable());
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

test('pages, document and types that follow from the routes are as the routes are (FUMEHOOD_UPDATE_REFERENCE=1 writes them)', () => {
  const made: Record<string, string> = {
    'docs/reference/routes.md': renderRoleTable(rows),
    'docs/reference/openapi.json': `${JSON.stringify(document, undefined, 1)}\n`,
    'docs/reference/rest-api.md': renderRestApi(document),
    'clients/typescript/src/schema.ts': renderSchema(document),
  };
  for (const [name, content] of Object.entries(made)) {
    const path = join(ROOT, name);
    if (process.env.FUMEHOOD_UPDATE_REFERENCE !== undefined) writeFileSync(path, content);
    assert.ok(readFileSync(path, 'utf8') === content, `${name} is not as the routes are`);
  }
});
