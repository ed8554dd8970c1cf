/** An error of the server, by its code; or `unavailable` when it could not be reached. */
export class FumehoodError extends Error {
  readonly code: string;
  readonly status: number | undefined;
  /** What to do about it. */
  readonly hint: string;
  readonly requestId: string;
  /** For "fumehood policy explain", where policy decided. */
  readonly decisionId: string | undefined;

  constructor(problem: {
    code: string;
    message: string;
    hint?: string;
    requestId?: string;
    decisionId?: string | undefined;
    status?: number;
    cause?: unknown;
  }) {
    super(problem.message, problem.cause === undefined ? undefined : { cause: problem.cause });
    this.name = 'FumehoodError';
    this.code = problem.code;
    this.hint = problem.hint ?? '';
    this.requestId = problem.requestId ?? '';
    this.decisionId = problem.decisionId;
    this.status = problem.status;
  }
}

/** The error inside a problem+json answer or an `error` frame. */
export function errorOf(problem: unknown, status?: number): FumehoodError {
  const known = (typeof problem === 'object' && problem !== null ? problem : {}) as Record<string, unknown>;
  const text = (name: string): string => (typeof known[name] === 'string' ? known[name] : '');
  const some = status === undefined ? {} : { status };
  if (text('code') === '')
    return new FumehoodError({
      code: 'unavailable',
      message: `The server answered ${status ?? 'something'} in a form that is not Fumehood's.`,
      ...some,
    });
  return new FumehoodError({
    code: text('code'),
    message: text('detail') || text('message'),
    hint: text('hint'),
    requestId: text('requestId'),
    decisionId: text('decisionId') || undefined,
    ...some,
  });
}
