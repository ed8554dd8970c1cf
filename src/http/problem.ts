import type { ServerResponse } from 'node:http';
import { type AppError, ERROR_CODES } from '#kernel/errors.ts';

/** An error on the wire (RFC 9457, `application/problem+json`) with Fumehood's own members. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  hint: string;
  requestId: string;
  decisionId?: string;
  /** Every field that was wrong, for `invalid`. */
  fields?: { field: string; message: string }[];
};

/** The problem that stands for an error; nothing but its public parts. */
export function problemOf(error: AppError, requestId: string): Problem {
  const { decisionId, fields } = error.details;
  return {
    type: `urn:fumehood:error:${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status: ERROR_CODES[error.code].status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    requestId,
    ...(decisionId === undefined ? {} : { decisionId }),
    ...(Array.isArray(fields) ? { fields: fields as { field: string; message: string }[] } : {}),
  };
}

/** Sends the error; when an answer is already on its way, the connection is cut so that nobody takes it for whole. */
export function sendProblem(response: ServerResponse, error: AppError, requestId: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(error, requestId));
  response.statusCode = error.status;
  response.setHeader('content-type', 'application/problem+json');
  response.setHeader('content-length', Buffer.byteLength(body));
  if (error.status === 401) response.setHeader('www-authenticate', 'Bearer');
  response.end(body);
}
