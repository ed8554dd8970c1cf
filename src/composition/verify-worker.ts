/** Verifies the log on threads of its own: the store on one, the published folder on another, so that the control plane goes on answering. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AppError, type ErrorCode, toAppError } from '#kernel/errors.ts';
import { type FolderOptions, type Verification, verifyFolder } from '#src/audit/verify-folder.ts';
import { type LogVerification, verifyLog } from '#src/audit/verify-log.ts';
import { openStore } from '#src/database/open-database.ts';
import { ATTESTED } from './attested-tables.ts';

type LogTask = { databaseUrl: string; publicKey: string; folder: string; retained?: string };
type Task = { kind: 'log'; task: LogTask } | { kind: 'folder'; task: FolderOptions };
type Answer = { answer: unknown } | { code: ErrorCode; message: string; hint: string };

/** Verifies the whole log. One after the other: each takes a core. */
export function createLogVerifier(
  options: Omit<LogTask, 'retained'>,
): (retained: string | undefined) => Promise<LogVerification> {
  let last: Promise<unknown> = Promise.resolve();
  return (retained) => {
    const task: LogTask = { ...options, ...(retained === undefined ? {} : { retained }) };
    const next = last.then(() => onThread<LogVerification>({ kind: 'log', task }));
    last = next.catch(() => undefined);
    return next;
  };
}

function onThread<T>(task: Task): Promise<T> {
  return new Promise((resolve, reject) => {
    // What says how modules are found goes along; what says which one to run does not.
    const execArgv = process.execArgv.filter((flag) => /^--(?:disable-warning|preserve-symlinks)/.test(flag));
    const worker = new Worker(new URL(import.meta.url), { workerData: task, execArgv });
    worker.once('message', (message: Answer) => {
      if ('answer' in message) resolve(message.answer as T);
      else reject(new AppError(message.code, message.message, { details: { hint: message.hint } }));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that verifies ended with ${code}`)));
  });
}

async function work({ kind, task }: Task): Promise<unknown> {
  if (kind === 'folder') return verifyFolder(task);
  const database = await openStore(task.databaseUrl);
  try {
    const verifyTiles = (folder: FolderOptions): Promise<Verification> =>
      onThread<Verification>({ kind: 'folder', task: folder });
    return await verifyLog({ ...task, database, verifyTiles, attested: ATTESTED }, task.retained);
  } finally {
    await database.close();
  }
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const message: Answer = await work(workerData as Task).then(
    (answer) => ({ answer }),
    (thrown: unknown) => {
      const { code, message, hint } = toAppError(thrown);
      return { code, message, hint };
    },
  );
  port.postMessage(message);
}
