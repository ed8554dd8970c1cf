import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kernel/clock.ts';
import type { Database } from '#kernel/sql.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { createCommitter } from '#src/audit/committer.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { type RunSearch, searchRuns } from '#src/tracking/run-search-store.ts';
import { fillEntries } from '../fill-entries.ts';
import { fillRuns } from '../fill-runs.ts';
import { median, type Row, timed } from '../measure.ts';
import { sampleEntry } from '../sample-entry.ts';

const MOST_ENTRIES = Number(process.env.FUMEHOOD_BENCH_ENTRIES ?? 1_000_000);
const MOST_RUNS = Number(process.env.FUMEHOOD_BENCH_RUNS ?? 100_000);
const COMMITS = 300;
const FLAT = 1.5;
const SEARCH: RunSearch = {
  experimentIds: ['7'],
  filter: '',
  orderBy: ['metrics.loss DESC'],
  lifecycles: ['active'],
  limit: 100,
  pageToken: undefined,
  owner: 'operator',
};

/** How the cost of one crossing grows with the log, and of a search with the runs: it must not. */
export async function measureSlopes(say: (text: string) => void): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const database = await openDatabase(`sqlite:${join(folder, 'state.db')}`);
  try {
    return [await entries(database, say), await runs(database, say)];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One act with its entry, durable, in logs of ten times the size each. */
async function entries(database: Database, say: (text: string) => void): Promise<Row> {
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = createSigner('fumehood.local/bench', privateKey);
  const log = await openAuditLog({ database, signer, clock: systemClock });
  const committer = createCommitter({ database, log });
  const costs: number[] = [];
  for (let size = 1000; size <= MOST_ENTRIES; size *= 10) {
    await fillEntries(committer, log.size(), size);
    const samples = await timed(COMMITS, 20, async (at) => {
      await committer.commit(async () => ({ entries: [sampleEntry(0, at)] }));
    });
    costs.push(median(samples));
    say(`  a log of ${size} entries: ${costs.at(-1)?.toFixed(3)} ms a commit`);
  }
  return rowOf(`a commit with ${MOST_ENTRIES} entries in the log, beside 1,000`, costs);
}

/** A page of 100 by a metric, among ten times as many runs each. */
async function runs(database: Database, say: (text: string) => void): Promise<Row> {
  const costs: number[] = [];
  let made = 0;
  for (let size = 100; size <= MOST_RUNS; size *= 10) {
    await fillRuns(database, { experimentId: '7', from: made, to: size });
    made = size;
    const samples = await timed(50, 5, async () => {
      await database.read((reader) => searchRuns(reader, SEARCH));
    });
    costs.push(median(samples));
    say(`  ${size} runs: ${costs.at(-1)?.toFixed(3)} ms a search`);
  }
  return rowOf(`a search among ${MOST_RUNS} runs, beside 100`, costs);
}

function rowOf(what: string, costs: number[]): Row {
  const [first = 0] = costs;
  const last = costs.at(-1) ?? 0;
  const slope = last / first;
  return {
    what,
    value: last,
    unit: 'ms',
    against: [{ name: 'the smallest', value: first, ratio: first / last }],
    reach: `<= ${FLAT}x the smallest`,
    reached: slope <= FLAT,
  };
}
