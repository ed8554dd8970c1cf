/** Entries for logs of a certain size, put there without the acts that they tell of. */
import { join } from 'node:path';
import { systemClock } from '#kernel/clock.ts';
import { openAuditLog } from '#src/audit/audit-log.ts';
import { createSigner } from '#src/audit/checkpoint.ts';
import { type Committer, createCommitter } from '#src/audit/committer.ts';
import { loadLogKey, logKeyPath, logOrigin } from '#src/audit/log-key.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { sampleEntry } from './sample-entry.ts';

const BATCH = 1000;

/** Fills a log from one size to another. */
export async function fillEntries(committer: Committer, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += BATCH) {
    const entries = Array.from({ length: Math.min(BATCH, to - at) }, (_, index) => sampleEntry(1, at + index));
    await committer.commit(async () => ({ entries }));
  }
}

/** Fills the log of a home whose control plane does not run. */
export async function fillHome(home: string, size: number): Promise<void> {
  const database = await openDatabase(`sqlite:${join(home, 'state.db')}`);
  try {
    const signer = createSigner(logOrigin(home), loadLogKey(logKeyPath(home), { logIsEmpty: false }));
    const log = await openAuditLog({ database, signer, clock: systemClock });
    await fillEntries(createCommitter({ database, log }), log.size(), size);
  } finally {
    await database.close();
  }
}
