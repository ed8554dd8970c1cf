/** How commands ended, in the history of their sandboxes: written a moment later and together, so that nobody's next commit waits for it. */
import type { Log } from '#kernel/log.ts';
import type { Database } from '#kernel/sql.ts';
import { insertSandboxEvent } from './sandbox-store.ts';

export type ExecHistory = {
  /** A command ended. Audit entries say what ran; this line may be lost with the control plane, as the end itself would be. */
  ended(exec: { sandboxId: string; atMs: number; message: string; requestId: string }): void;
  /** Resolves when all that ended so far is written, or could not be. */
  written(): Promise<void>;
};

const LATER_MS = 20;

export function createExecHistory(deps: { database: Database; log: Log }): ExecHistory {
  let waiting: Parameters<ExecHistory['ended']>[0][] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const ends = waiting;
    waiting = [];
    if (ends.length > 0)
      writing = deps.database
        .transaction(async (tx) => {
          for (const { sandboxId, atMs, message } of ends)
            await insertSandboxEvent(tx, sandboxId, { atMs, kind: 'exit', message });
        })
        .catch((error) =>
          deps.log('warn', 'the ends of commands could not be written to the history', {
            requestIds: ends.map((one) => one.requestId).join(' '),
            error,
          }),
        );
    return writing;
  };
  return {
    ended: (exec) => {
      waiting.push(exec);
      timer ??= setTimeout(() => void write(), LATER_MS);
    },
    written: write,
  };
}
