/** The one error type that may reach a user, and the one table that says what each code means. */

type CodeRow = { status: number; retryable: boolean; exitCode: number; hint: string };

/** Code → HTTP status, whether a retry can help, the CLI's exit code, and what to do when the thrower says nothing better. */
export const ERROR_CODES = {
  invalid: { status: 400, retryable: false, exitCode: 2, hint: 'Correct the named field and send it again.' },
  unauthenticated: {
    status: 401,
    retryable: false,
    exitCode: 4,
    hint: 'Log in with "fumehood login" or set FUMEHOOD_TOKEN.',
  },
  denied: {
    status: 403,
    retryable: false,
    exitCode: 5,
    hint: 'Ask "fumehood policy explain DECISION-ID" which condition failed.',
  },
  approval_required: {
    status: 403,
    retryable: false,
    exitCode: 5,
    hint: 'Ask for access with "fumehood access request".',
  },
  pending: {
    status: 202,
    retryable: true,
    exitCode: 8,
    hint: 'An approval is still waiting: see "fumehood approval list".',
  },
  not_found: { status: 404, retryable: false, exitCode: 3, hint: 'List what exists with the noun\'s "list" command.' },
  method_not_allowed: {
    status: 405,
    retryable: false,
    exitCode: 2,
    hint: 'See /api/v1/openapi.json for the routes that exist.',
  },
  conflict: { status: 409, retryable: false, exitCode: 6, hint: 'Look at the current state and decide again.' },
  precondition_failed: {
    status: 412,
    retryable: false,
    exitCode: 6,
    hint: 'The thing changed in the meantime; read it again.',
  },
  too_large: { status: 413, retryable: false, exitCode: 2, hint: 'Send less at once.' },
  quota_exceeded: {
    status: 429,
    retryable: true,
    exitCode: 1,
    hint: 'Delete what is not needed or ask an operator for "fumehood quota set".',
  },
  too_many_requests: { status: 429, retryable: true, exitCode: 1, hint: 'Wait a moment and try again.' },
  capability_missing: {
    status: 422,
    retryable: false,
    exitCode: 1,
    hint: 'Run "fumehood doctor" to see what this host can enforce.',
  },
  timeout: { status: 504, retryable: true, exitCode: 7, hint: 'Try again, or give it more time with --timeout.' },
  unavailable: {
    status: 503,
    retryable: true,
    exitCode: 1,
    hint: 'Try again in a moment; "fumehood status" shows the state.',
  },
  integrity: {
    status: 500,
    retryable: false,
    exitCode: 1,
    hint: 'Stored data does not match its digest: restore it from a backup.',
  },
  unsupported: { status: 501, retryable: false, exitCode: 2, hint: 'This operation is not offered.' },
  internal: {
    status: 500,
    retryable: false,
    exitCode: 1,
    hint: 'Report this with the request id; the log of the control plane has the cause.',
  },
} as const satisfies Record<string, CodeRow>;

export type ErrorCode = keyof typeof ERROR_CODES;

export type ErrorDetails = {
  hint?: string;
  decisionId?: string;
  /** Which part of the input was wrong, as a path. */
  field?: string;
  [key: string]: unknown;
};

/** An error with a public message. Whatever else is thrown is `internal`: logged with its request id, never shown. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, publicMessage: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get hint(): string {
    return this.details.hint ?? ERROR_CODES[this.code].hint;
  }
}

/** Errors of the host's disks, by code: what each means, and what mends it. */
const DISK_FAULTS: Readonly<Record<string, { what: string; hint: string }>> = {
  ENOSPC: { what: 'there is no space left', hint: 'Make room' },
  EDQUOT: { what: 'the quota of the file system is used up', hint: 'Make room' },
  EROFS: { what: 'the file system is read-only', hint: 'Look at its disk, and mount it writable again' },
  EIO: { what: 'the disk cannot be read or written', hint: 'Look at the disk and the log of the kernel' },
  EMFILE: { what: 'too many files are open', hint: 'Raise the limit of open files of who runs Fumehood (ulimit -n)' },
  ENFILE: { what: 'too many files are open on this host', hint: 'Raise fs.file-max' },
};

/** A fault of a disk as what it means for `where` (as "for objects"); undefined for anything else. It goes on by itself once that is mended. */
export function diskFault(thrown: unknown, where: string): AppError | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const fault = Object.hasOwn(DISK_FAULTS, code) ? DISK_FAULTS[code] : undefined;
  if (fault === undefined) return undefined;
  return new AppError('unavailable', `Nothing could be written ${where}: ${fault.what}.`, {
    details: { hint: `${fault.hint}. Nothing has to be started again: it goes on by itself then.` },
    cause: thrown,
  });
}

/** The AppError that a thrown value stands for: itself, a fault of this host's disk, or `internal` with the value as its cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return (
    diskFault(thrown, 'on this host') ??
    new AppError('internal', 'Something went wrong inside Fumehood.', { cause: thrown })
  );
}
