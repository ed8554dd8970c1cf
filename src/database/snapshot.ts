import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Copies an SQLite file as of one commit into `target` (0600, must not be there); nobody waits for it but the caller. */
export async function snapshotSqlite(source: string, target: string): Promise<void> {
  closeSync(openSync(target, 'wx', 0o600));
  const worker = new Worker(join(import.meta.dirname, 'vacuum.ts'), { workerData: { source, target } });
  await once(worker, 'exit');
}
