/** A worker: moves what is in the write-ahead log of an SQLite store into its file, as often as it is told to. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const { path } = workerData as { path: string };
const database = new DatabaseSync(path);
database.exec('pragma busy_timeout = 0; pragma synchronous = normal;');
const checkpoint = database.prepare('pragma wal_checkpoint(passive)');
parentPort?.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'close') {
    database.close();
    parentPort?.close();
    return;
  }
  let frames = 0;
  try {
    frames = Number(checkpoint.get()?.log ?? 0);
  } catch {
    // What keeps it from the file now is met by the next commit too, which says so.
  }
  parentPort?.postMessage(frames);
});
