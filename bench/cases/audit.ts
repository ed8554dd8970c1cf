import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kernel/clock.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { quantiles, type Row } from '../measure.ts';

const WRITERS = 64;
const DURATION_MS = 5_000;

/** Entries that are durable in the log, by writers that each wait for their own. */
export async function measureAudit(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const database = await openDatabase(`sqlite:${join(folder, 'state.db')}`);
  try {
    const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const signer = createSigner('fumehood.local/bench', privateKey);
    const log = await openAuditLog({ database, signer, clock: systemClock });
    const committer = createCommitter({ database, log });
    const samples: number[] = [];
    const begun = performance.now();
    const writer = async (id: number): Promise<void> => {
      for (let at = 0; performance.now() - begun < DURATION_MS; at += 1) {
        const started = performance.now();
        await committer.commit(async () => ({ entries: [entryOf(id, at)], answer: undefined }));
        samples.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, id) => writer(id)));
    const perSecond = samples.length / ((performance.now() - begun) / 1000);
    const { p99 } = quantiles(samples);
    const what = `durable audit entries, ${WRITERS} writers`;
    return [
      { what, value: perSecond, unit: '/s', against: [], reach: '>= 10,000/s', reached: perSecond >= 10_000 },
      { what: `${what}: p99`, value: p99, unit: 'ms', against: [], reach: '<= 20 ms', reached: p99 <= 20 },
    ];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const entryOf = (writer: number, at: number): EntryDraft => ({
  time: Date.now(),
  actor: { type: 'sandbox', id: `sb-${writer}`, user: 'erin' },
  action: 'run.log',
  object: { kind: 'run', id: `run-${writer}` },
  decision: { id: `dec-${writer}-${at}`, allowed: true, bundles: [], inputDigest: `sha256:${'0'.repeat(64)}` },
  outcome: 'ok',
  requestId: `req-${writer}-${at}`,
  door: 'mlflow',
});
