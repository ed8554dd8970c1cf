/** What PostgreSQL's error codes (appendix A of its manual) mean to a user, where it is the store that fails and not the statement. */
import { AppError } from '#kernel/errors.ts';

const GOES_ON = 'Nothing has to be started again: it goes on by itself when the database does.';

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';

/** Connection exceptions, operator intervention (shutdown, recovery) and errors of the socket: the connection is of no use any more. */
const LOST = /^(08...|57P0.|25P0[34]|E[A-Z_]{2,})$/;
/** The client's own words for a connection that broke or is too slow; they carry no code. */
const LOST_WORDS =
  /^(Connection terminated|Query read timeout|timeout (expired|exceeded)|Client (was closed|has encountered))/;

/** Whether the connection is lost: nothing more can be asked over it, and what was asked last has an unknown outcome. */
export const isLost = (thrown: unknown): boolean =>
  thrown instanceof Error && (LOST.test(codeOf(thrown)) || LOST_WORDS.test(thrown.message));

/** The fault of the store behind an error; undefined for a fault of the statement, such as a constraint. */
export function postgresFault(thrown: unknown): AppError | undefined {
  const code = codeOf(thrown);
  const fault = (message: string, hint: string, kind: 'unavailable' | 'integrity' = 'unavailable'): AppError =>
    new AppError(kind, message, { details: { hint }, cause: thrown });
  if (isLost(thrown))
    return fault('The state store does not answer.', `Look at the PostgreSQL server of database.url. ${GOES_ON}`);
  if (code === '53100')
    return fault('There is no space left for the state store.', `Make room for the PostgreSQL server. ${GOES_ON}`);
  if (code.startsWith('53'))
    return fault(
      'The state store has no room for another connection or query.',
      `Look at the PostgreSQL server. ${GOES_ON}`,
    );
  if (code === '57014' || code === '55P03')
    return fault('The state store took too long.', `Look at the PostgreSQL server: its load and its locks. ${GOES_ON}`);
  if (code === '25006')
    return fault('The state store is read-only.', `database.url must name the primary server. ${GOES_ON}`);
  if (/^(58|XX00[12])/.test(code))
    return fault(
      'The state store is damaged, or its disk is.',
      'Look at the log of the PostgreSQL server.',
      'integrity',
    );
  if (/^(28|3D)/.test(code))
    return fault(
      'The state store refuses the connection.',
      'Check the user, password and database name in database.url.',
    );
  return undefined;
}

/** Says that nobody knows whether a commit was made: the connection was lost between the question and the answer. */
export const unknownOutcome = (cause: unknown): AppError =>
  new AppError(
    'unavailable',
    'It is not known whether this was done: the state store was lost in the middle of the commit.',
    {
      details: {
        outcome: 'unknown',
        hint: 'Look before you repeat it: when it was done, the audit log has an entry with this request id.',
      },
      cause,
    },
  );
