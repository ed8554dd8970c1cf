import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import type { Database } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { openAuditLog } from './audit-log.ts';
import { type EntryFilter, selectEntries } from './audit-store.ts';
import { createSigner } from './checkpoint.ts';
import { createCommitter } from './committer.ts';
import type { EntryDraft } from './entry.ts';

const MANY = 60;

const draftOf = (at: number): EntryDraft => ({
  time: 1000 + at,
  actor:
    at % 4 === 0 ? { type: 'user', id: 'erin', user: 'erin' } : { type: 'sandbox', id: `sb-${at % 3}`, user: 'otto' },
  action: ['run.log', 'run.create', 'secret.read'][at % 3] ?? '',
  object: at === 40 ? { kind: 'model', id: 'rare' } : { kind: at % 2 === 0 ? 'run' : 'secret', id: `id-${at % 5}` },
  decision: null,
  outcome: at % 7 === 0 ? 'denied' : 'ok',
  requestId: `req-${at}`,
});

const FITS: [EntryFilter, (draft: EntryDraft) => boolean][] = [
  [{}, () => true],
  [{ user: 'erin' }, ({ actor }) => actor.user === 'erin'],
  [{ user: 'nobody' }, () => false],
  [{ actor: 'sb-1' }, ({ actor }) => actor.id === 'sb-1'],
  [{ action: 'run' }, ({ action }) => action.startsWith('run.')],
  [{ action: 'secret.read' }, ({ action }) => action === 'secret.read'],
  [{ object: 'run' }, ({ object }) => object.kind === 'run'],
  [{ object: 'run:id-2' }, ({ object }) => object.kind === 'run' && object.id === 'id-2'],
  [{ object: 'model:rare' }, ({ object }) => object.kind === 'model'],
  [{ outcome: 'denied', user: 'otto' }, ({ outcome, actor }) => outcome === 'denied' && actor.user === 'otto'],
  [{ requestId: 'req-17' }, ({ requestId }) => requestId === 'req-17'],
  [
    { sinceMs: 1010, untilMs: 1020, action: 'run' },
    ({ time, action }) => time >= 1010 && time < 1020 && action !== 'secret.read',
  ],
];

describe('the list of entries', () => {
  let database: Database;
  const drafts = Array.from({ length: MANY }, (_, at) => draftOf(at));
  before(async () => {
    database = await openDatabase('sqlite::memory:');
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const log = await openAuditLog({ database, signer: createSigner('fumehood.local/test', key), clock: systemClock });
    await createCommitter({ database, log }).commit(async () => ({ entries: drafts }));
  });
  after(() => database.close());

  for (const [filter, fits] of FITS)
    it(`is the same however few entries are gone through at once: ${JSON.stringify(filter)}`, async () => {
      const wanted = drafts.flatMap((draft, seq) => (fits(draft) ? [seq] : []));
      for (const bounds of [undefined, { few: 0, span: 7 }, { few: 5, span: 1 }, { few: 1000, span: 7 }])
        for (const ascending of [true, false]) {
          const seen: number[] = [];
          for (let cursor: number | undefined; ; cursor = seen.at(-1)) {
            const page = await database.read((reader) =>
              selectEntries(reader, filter, { cursor, ascending, limit: 4 }, bounds),
            );
            seen.push(...page.map(({ seq }) => seq));
            if (page.length < 4) break;
          }
          assert.deepEqual(seen, ascending ? wanted : wanted.toReversed(), JSON.stringify({ bounds, ascending }));
        }
    });
});
