/** Errors in MLflow's wire form: `{"error_code", "message"}` (databricks.proto's ErrorCode names). */
import type { ServerResponse } from 'node:http';
import type { AppError, ErrorCode } from '#kernel/errors.ts';

const WIRE: Partial<Record<ErrorCode, { code: string; status?: number }>> = {
  invalid: { code: 'INVALID_PARAMETER_VALUE' },
  unauthenticated: { code: 'UNAUTHENTICATED' },
  denied: { code: 'PERMISSION_DENIED' },
  approval_required: { code: 'PERMISSION_DENIED' },
  not_found: { code: 'RESOURCE_DOES_NOT_EXIST' },
  conflict: { code: 'RESOURCE_ALREADY_EXISTS', status: 400 },
  precondition_failed: { code: 'INVALID_STATE', status: 400 },
  too_large: { code: 'INVALID_PARAMETER_VALUE' },
  quota_exceeded: { code: 'RESOURCE_LIMIT_EXCEEDED' },
  too_many_requests: { code: 'REQUEST_LIMIT_EXCEEDED' },
  unavailable: { code: 'TEMPORARILY_UNAVAILABLE' },
  timeout: { code: 'TEMPORARILY_UNAVAILABLE', status: 503 },
  unsupported: { code: 'NOT_IMPLEMENTED' },
  method_not_allowed: { code: 'ENDPOINT_NOT_FOUND', status: 404 },
};

/** Writes an error: the reason, what to do, and the decision's id, as people see it in the client's exception. */
export function sendError(response: ServerResponse, error: AppError, requestId: string): void {
  const wire = WIRE[error.code] ?? { code: 'INTERNAL_ERROR' };
  const code = typeof error.details.wire === 'string' ? error.details.wire : wire.code;
  const { decisionId, hint } = error.details;
  const refused = error.code === 'denied' || error.code === 'approval_required';
  const parts = [
    error.message,
    ...(hint === undefined && !refused ? [] : [error.hint]),
    ...(decisionId === undefined ? [] : [`(decision ${decisionId})`]),
    ...(error.code === 'internal' || error.code === 'integrity' ? [`(request ${requestId})`] : []),
  ];
  sendJson(response, wire.status ?? error.status, { error_code: code, message: parts.join(' ') });
}

export function sendJson(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}
