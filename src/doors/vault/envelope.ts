/** The wire forms of Vault's API: the envelope around answers, and errors. */
import type { ServerResponse } from 'node:http';
import { type AppError, toAppError } from '#kernel/errors.ts';

export type Auth = {
  client_token: string;
  accessor: string;
  policies: string[];
  token_policies: string[];
  metadata: Record<string, string> | null;
  lease_duration: number;
  renewable: boolean;
  entity_id: string;
  token_type: 'service';
  orphan: boolean;
  num_uses: number;
};

/** What a route answers; without `data`, `auth` and `body` it is 204. */
export type Answer = {
  status?: number;
  data?: Record<string, unknown>;
  auth?: Auth;
  leaseSeconds?: number;
  warnings?: string[];
  /** Replaces the envelope (`sys/health`). */
  body?: Record<string, unknown>;
  /** Repeats `data` at the top level, as many `sys/` answers do. */
  flat?: boolean;
};

/** Writes an answer. hvac reads errors only when the content type is exactly `application/json`. */
export function sendAnswer(response: ServerResponse, answer: Answer, requestId: string): void {
  const { data, auth, body } = answer;
  if (data === undefined && auth === undefined && body === undefined) {
    response.writeHead(answer.status ?? 204, { 'cache-control': 'no-store' });
    response.end();
    return;
  }
  const whole = body ?? {
    ...(answer.flat === true ? data : {}),
    request_id: requestId,
    lease_id: '',
    renewable: false,
    lease_duration: answer.leaseSeconds ?? 0,
    data: data ?? null,
    wrap_info: null,
    warnings: answer.warnings ?? null,
    auth: auth ?? null,
  };
  sendJson(response, answer.status ?? 200, whole);
}

const STATUS: Partial<Record<AppError['code'], number>> = {
  unauthenticated: 403,
  precondition_failed: 400,
  conflict: 400,
  too_large: 413,
  quota_exceeded: 429,
  capability_missing: 400,
  unsupported: 400,
};

/** Writes an error in Vault's form. Nothing of an internal error's cause is shown. */
export function sendError(response: ServerResponse, thrown: unknown): void {
  const error = toAppError(thrown);
  const status = STATUS[error.code] ?? error.status;
  sendJson(response, status, { errors: errorTexts(error, status) });
}

function errorTexts(error: AppError, status: number): string[] {
  if (error.code === 'not_found' && error.details.wire === undefined) return [];
  if (status === 403) return ['permission denied', error.message, error.hint];
  return [error.message];
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-store',
  });
  response.end(bytes);
}
