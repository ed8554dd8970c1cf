import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROLES } from '#src/identity/user.ts';
import { buildDefaultBundle } from './build-default-bundle.ts';
import { readActionTable, readDefaultBundle } from './default-bundle.ts';
import { loadBundle } from './load-bundle.ts';
import { findOpa, OPA_VERSION } from './opa.ts';

const SOURCES = join(import.meta.dirname, '..');

/** Acts of the system itself and refusals before any question: no policy is asked about them. */
const UNASKED = new Set([
  'access-key.issue',
  'access-key.revoke',
  'api.authenticate',
  'api.route',
  'clock.set',
  'egress.close',
  'backup.restore',
  'backup.written',
  'experiment.first',
  'key.retire',
  'key.rewrap',
  'mlflow.request',
  'object.unknown',
  'sandbox.deleted',
  'sandbox.exit',
  'sandbox.expire',
  'sandbox.idle',
  'sandbox.lost',
  'sandbox.notebook',
  'sandbox.start',
  'sandbox.stopped',
  'user.first',
  'user.renew',
  'vault.request',
]);

const NAMED = /(?:\baction: |\bquestion\(\s*)'([a-z-]+\.[a-z-]+)'/g;
const ROW =
  /'((?:object|bucket|run|model|experiment|secret|token|dataset|data|vault|artifact|metric)\.[a-z-]+(?<!\.json|\.db))'/g;

function actionsInSources(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || /test|fixture/.test(file)) continue;
    const text = readFileSync(join(SOURCES, file), 'utf8');
    // The tables of the doors name an action by its place in a row.
    const form = file.startsWith('doors') ? ROW : NAMED;
    for (const [, action] of text.matchAll(form))
      if (action !== undefined && !UNASKED.has(action)) found.set(action, file);
  }
  return found;
}

describe('default bundle', async () => {
  const table = readActionTable();
  const bundle = await loadBundle(readDefaultBundle());

  it('is what its sources compile to', async () => {
    const opa = await findOpa();
    const { stdout } = await opa.run(['version']);
    assert.match(
      stdout,
      new RegExp(`^Version: ${OPA_VERSION}$`, 'm'),
      'the pinned version of opa is needed to compare',
    );
    assert.equal((await buildDefaultBundle(opa)).digest, readDefaultBundle().digest);
  });

  it('knows every action that a route, a door or a use case asks about', () => {
    const unknown = [...actionsInSources()].filter(([action]) => !Object.hasOwn(table, action));
    assert.deepEqual(unknown, [], 'add these lines to policies/default/fumehood/actions/data.json');
  });

  const ask = (action: string, role: string, owner: string, type = 'user') =>
    bundle.evaluate(
      Buffer.from(
        JSON.stringify({
          action,
          resource: 'run',
          tag: 'public',
          subject: { type, id: 'erin', user: 'erin', roles: [role], scopes: ['*'], purpose: '', labels: [] },
          object: { type: 'thing', id: 'x', owner, labels: [], granted: true, requester: 'eve' },
          context: { approvals: [] },
        }),
      ),
    );

  for (const role of ROLES) {
    it(`lets ${role} do what the table says, on own and on others' things, and nothing else`, () => {
      for (const [action, row] of Object.entries(table)) {
        const reach = row[role];
        assert.equal(ask(action, role, 'erin').allowed, reach !== undefined, `${role} ${action} on own`);
        assert.equal(ask(action, role, 'eve').allowed, reach === 'any', `${role} ${action} on others'`);
      }
    });
  }

  it('lets a sandbox do only what the table marks', () => {
    for (const [action, row] of Object.entries(table)) {
      const allowed = ask(action, 'engineer', 'erin', 'sandbox').allowed;
      assert.equal(allowed, row.engineer !== undefined && row.sandbox === true, action);
    }
  });

  it('gives no role the data of others: officer and operator read no data, object or secret', () => {
    for (const action of ['data.read', 'data.mount', 'object.read', 'secret.read', 'sandbox.exec', 'sandbox.files'])
      for (const role of ['officer', 'operator'])
        assert.equal(ask(action, role, 'eve').allowed, false, `${role} ${action}`);
  });
});
