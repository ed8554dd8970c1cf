import type { AppError } from '#kernel/errors.ts';
import { paragraph } from './cell.ts';

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

/** An error for people, whose words may quote what others named: what and why, what to do, and by which decision and request it can be looked up. */
export function errorText(error: AppError, red: (text: string) => string): string {
  const { requestId, decisionId } = error.details;
  const fields = Array.isArray(error.details.fields)
    ? (error.details.fields as { field: string; message: string }[])
    : [];
  const lines = [`${red('error:')} ${paragraph(error.message)}`];
  if (fields.length > 1) for (const one of fields) lines.push(`  ${paragraph(one.field)}: ${paragraph(one.message)}`);
  lines.push(`  what to do: ${paragraph(error.hint)}`);
  if (decisionId !== undefined) lines.push(`  decision: ${paragraph(String(decisionId))}`);
  if (typeof requestId === 'string') lines.push(`  request: ${paragraph(requestId)}`);
  if (error.code === 'internal' && error.cause !== undefined && requestId === undefined)
    lines.push(`  cause: ${paragraph(error.cause instanceof Error ? error.cause.message : String(error.cause))}`);
  return `${lines.join('\n')}\n`;
}
