import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kernel/clock.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { createCommitter } from '#src/audit/committer.ts';
import { proveEntry, verifyEntryProof } from '#src/audit/prove-entry.ts';
import { publishTo } from '#src/audit/tile-publisher.ts';
import { createLogVerifier } from '#src/composition/verify-worker.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { quantiles, type Row } from '../measure.ts';
import { sampleEntry } from '../sample-entry.ts';

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
        await committer.commit(async () => ({ entries: [sampleEntry(id, at)], answer: undefined }));
        samples.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, id) => writer(id)));
    const perSecond = samples.length / ((performance.now() - begun) / 1000);
    const { p99 } = quantiles(samples);
    const what = `durable audit entries, ${WRITERS} writers`;
    return [
      ...(await measureProofs(folder)),
      { what, value: perSecond, unit: '/s', against: [], reach: '>= 10,000/s', reached: perSecond >= 10_000 },
      { what: `${what}: p99`, value: p99, unit: 'ms', against: [], reach: '<= 20 ms', reached: p99 <= 20 },
    ];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many entries the log has that is verified and proven from. */
const ENTRIES = Number(process.env.FUMEHOOD_BENCH_ENTRIES ?? 1_000_000);
const AT_ONCE = 10_000;
const PROOFS = 200;

/** Verification of a whole long log with its tiles and rows, and proofs out of it. */
async function measureProofs(scratch: string): Promise<Row[]> {
  const url = `sqlite:${join(scratch, 'long.db')}`;
  const folder = join(scratch, 'long');
  const database = await openDatabase(url);
  try {
    const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const signer = createSigner('fumehood.local/bench', privateKey);
    const { publicKey } = signer;
    const log = await openAuditLog({ database, signer, clock: systemClock });
    const committer = createCommitter({ database, log });
    for (let from = 0; from < ENTRIES; from += AT_ONCE) {
      const entries = Array.from({ length: Math.min(AT_ONCE, ENTRIES - from) }, (_, at) => sampleEntry(from, at));
      await committer.commit(async () => ({ entries }));
    }
    await publishTo({ database, publicKey }, folder, 0);
    const begun = performance.now();
    const verified = await createLogVerifier({ databaseUrl: url, publicKey, folder })(undefined);
    const perSecond = verified.size / ((performance.now() - begun) / 1000);
    if (!verified.ok || verified.size !== ENTRIES) throw new Error(`verification: ${JSON.stringify(verified)}`);
    const samples: number[] = [];
    for (let count = 0; count < PROOFS; count += 1) {
      const started = performance.now();
      const seq = Math.floor(Math.random() * ENTRIES);
      const proof = await database.read((reader) => proveEntry(reader, seq));
      samples.push(performance.now() - started);
      if (!verifyEntryProof(proof, publicKey)) throw new Error(`the proof of entry ${seq} does not hold`);
    }
    const { median, p99 } = quantiles(samples);
    const of = `of ${ENTRIES.toLocaleString('en')} entries`;
    return [
      {
        what: `full verification ${of}, with tiles and rows`,
        value: perSecond,
        unit: '/s',
        against: [],
        reach: '>= 80,000/s',
        reached: perSecond >= 80_000,
      },
      {
        what: `proof of one ${of}`,
        value: median,
        unit: 'ms',
        p99,
        against: [],
        reach: '<= 5 ms',
        reached: median <= 5,
      },
    ];
  } finally {
    await database.close();
  }
}
