/** What SQLite's result codes (sqlite.org/rescode.html) mean to a user, where it is the store that fails and not the statement. */
import { AppError } from '#kernel/errors.ts';

type Fault = { code: 'unavailable' | 'integrity'; message: string; hint: string };

const PRIMARY = 0xff;
const BUSY = 5;
const GOES_ON = 'Nothing has to be started again: it goes on by itself then.';
const RESTORE = 'Stop Fumehood and restore the store from a backup; nothing is written to it as it is.';

/** By primary result code. */
const FAULTS: Readonly<Record<number, Fault>> = {
  [BUSY]: locked(),
  6: locked(),
  7: { code: 'unavailable', message: 'There is no memory left for the state store.', hint: `Free memory. ${GOES_ON}` },
  8: {
    code: 'unavailable',
    message: 'The state store cannot be written: its file or file system is read-only.',
    hint: `Make FUMEHOOD_HOME writable again. ${GOES_ON}`,
  },
  10: {
    code: 'unavailable',
    message: 'The disk of the state store cannot be read or written.',
    hint: `Look at the disk and the mount of FUMEHOOD_HOME. ${GOES_ON}`,
  },
  11: { code: 'integrity', message: 'The state store is damaged.', hint: RESTORE },
  13: {
    code: 'unavailable',
    message: 'There is no space left for the state store.',
    hint: `Make room on the file system of FUMEHOOD_HOME. ${GOES_ON}`,
  },
  14: {
    code: 'unavailable',
    message: 'The file of the state store cannot be opened.',
    hint: 'Look at the folder FUMEHOOD_HOME: it must exist, and who runs Fumehood must be able to write in it.',
  },
  15: locked(),
  26: { code: 'integrity', message: 'The file of the state store is not a database.', hint: RESTORE },
};

function locked(): Fault {
  return {
    code: 'unavailable',
    message: 'The state store is locked by another process.',
    hint: `End what else has the file state.db open. ${GOES_ON}`,
  };
}

const resultCode = (thrown: unknown): number | undefined =>
  thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number'
    ? thrown.errcode & PRIMARY
    : undefined;

/** Whether somebody else holds the lock, so that waiting may help. */
export const isBusy = (thrown: unknown): boolean => resultCode(thrown) === BUSY;

/** The fault of the store behind an error; undefined for a fault of the statement, such as a constraint. */
export function sqliteFault(thrown: unknown): AppError | undefined {
  const fault = FAULTS[resultCode(thrown) ?? 0];
  return fault && new AppError(fault.code, fault.message, { details: { hint: fault.hint }, cause: thrown });
}

/** Whether an error is one that `sqliteFault` made. */
export const isStoreFault = (thrown: unknown): boolean =>
  thrown instanceof AppError && sqliteFault(thrown.cause) !== undefined;

/** Runs `work`; a fault of the store comes out as what it means. */
export function asStoreFault<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw sqliteFault(thrown) ?? thrown;
  }
}
