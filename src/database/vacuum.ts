/** A worker: copies an SQLite store as of one moment into a new file, while others go on writing. */
import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';

const { source, target } = workerData as { source: string; target: string };
const database = new DatabaseSync(source, { readOnly: true });
try {
  database.exec('pragma busy_timeout = 30000');
  database.prepare('vacuum into ?').run(target);
} finally {
  database.close();
}
