import { AppError } from '#kernel/errors.ts';
import type { Lifecycle } from '#src/tracking/run.ts';
import { type Input, text } from './input.ts';

const VIEWS: Record<string, Lifecycle[]> = {
  ACTIVE_ONLY: ['active'],
  DELETED_ONLY: ['deleted'],
  ALL: ['active', 'deleted'],
};
/** `ViewType` of service.proto by number. */
const BY_NUMBER = ['', 'ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'];

/** Which life cycles a search is for; active ones when it does not say. */
export function lifecyclesOf(input: Input, name: string): Lifecycle[] {
  const given = text(input, name) || 'ACTIVE_ONLY';
  const view = VIEWS[BY_NUMBER[Number(given)] ?? given];
  if (view === undefined)
    throw new AppError('invalid', `Invalid value for parameter '${name}' supplied: ${given.slice(0, 50)}.`, {
      details: { field: name },
    });
  return view;
}
