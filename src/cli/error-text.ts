import type { AppError } from '#kernel/errors.ts';

/** The error object that scripts read. */
export function errorJson(error: AppError): string {
  const { requestId, decisionId } = error.details;
  return `${JSON.stringify({
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint,
      requestId: requestId ?? null,
      ...(decisionId === undefined ? {} : { decisionId }),
    },
  })}\n`;
}

/** An error for people: what and why, what to do, and by which decision and request it can be looked up. */
export function errorText(error: AppError, red: (text: string) => string): string {
  const { requestId, decisionId } = error.details;
  const fields = Array.isArray(error.details.fields)
    ? (error.details.fields as { field: string; message: string }[])
    : [];
  const lines = [`${red('error:')} ${error.message}`];
  if (fields.length > 1) for (const one of fields) lines.push(`  ${one.field}: ${one.message}`);
  lines.push(`  what to do: ${error.hint}`);
  if (decisionId !== undefined) lines.push(`  decision: ${decisionId}`);
  if (typeof requestId === 'string') lines.push(`  request: ${requestId}`);
  if (error.code === 'internal' && error.cause !== undefined && requestId === undefined)
    lines.push(`  cause: ${error.cause instanceof Error ? error.cause.message : String(error.cause)}`);
  return `${lines.join('\n')}\n`;
}
