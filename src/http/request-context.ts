import type { IncomingMessage } from 'node:http';
import { toAppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';

/** The door that the REST API is, in decisions and audit entries. */
export const DOOR = 'api';

/** Says no before any question could be asked, with an audit entry, and throws the error on. */
export type Refuse = (thrown: unknown, action: string, identity?: Identity) => Promise<never>;

/** Builds the refusal of one request; `what` is its method and path. */
export function refusing(deps: { gateway: Pick<Gateway, 'refuse'> }, requestId: string, what: string): Refuse {
  return async (thrown, action, identity) => {
    const error = toAppError(thrown);
    await deps.gateway.refuse({
      ...(identity === undefined ? {} : { identity }),
      door: DOOR,
      requestId,
      action,
      object: { kind: 'route', id: what.slice(0, 256) },
      error,
    });
    throw error;
  };
}

/** The client's `X-Request-Id` when it is well formed, else a new one. */
export function requestIdOf(request: IncomingMessage, ids: Ids): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{8,128}$/.test(given) ? given : ids.next('req');
}

/** The bearer token of a request (RFC 6750, section 2.1), if it carries one. */
export function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(request.headers.authorization ?? '')?.[1];
}
