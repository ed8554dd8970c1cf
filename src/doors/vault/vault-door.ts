/** The Vault door: KV version 2, tokens and the parts of `sys/` that clients need, in Vault's wire forms. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '#kernel/clock.ts';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Log } from '#kernel/log.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Door, Exchange, Peer } from '#src/gateway/door.ts';
import type { Identify } from '#src/gateway/identify.ts';
import { closeUnread } from '#src/gateway/unread-body.ts';
import type { Secrets } from '#src/secrets/create-secrets.ts';
import { type ChildTokens, createChildTokens, inScopes, type Narrowed, narrow, subjectOf } from './child-token.ts';
import { type Answer, sendAnswer, sendError } from './envelope.ts';
import { KV_ROUTES } from './kv-routes.ts';
import { matchRoute, splitTarget } from './match-route.ts';
import { readJsonBody } from './parse-body.ts';
import { SYS_ROUTES } from './sys-routes.ts';
import { TOKEN_ROUTES } from './token-routes.ts';
import type { IssuedAccessKey, VaultCall, VaultRoute, VaultServices } from './vault-call.ts';

export type VaultDoorDeps = {
  secrets: Secrets;
  gateway: Gateway;
  database: Pick<Database, 'read'>;
  identify: Identify;
  /** Makes a sandbox a short-lived S3 key pair of its own, which dies with it. */
  issueAccessKey: (options: { sandboxId: string }) => Promise<IssuedAccessKey>;
  clock: Clock;
  log: Log;
  clusterId: string;
  version: string;
};

const ROUTES: readonly VaultRoute[] = [...KV_ROUTES, ...TOKEN_ROUTES, ...SYS_ROUTES];
const MAX_BODY_BYTES = 1024 * 1024;
const DOOR = 'vault';

export function createVaultDoor(deps: VaultDoorDeps): Door {
  const { gateway, database, clock } = deps;
  const tokens = createChildTokens({ database, gateway, clock });
  const services: VaultServices = { ...deps, tokens };
  return {
    id: DOOR,
    port: 8200,
    routes: ROUTES.map(({ method, path, action }) => ({ method, path, action })),
    listVerb: true,
    maxBodyBytes: MAX_BODY_BYTES,
    handle: async (exchange) => {
      const { request, response, requestId } = exchange;
      try {
        sendAnswer(response, await serve(deps, services, exchange), requestId);
      } catch (thrown) {
        const error = toAppError(thrown);
        if (error.code === 'internal') deps.log('error', 'the Vault door failed', { requestId, error: error.cause });
        closeUnread(request, response);
        sendError(response, error);
      }
    },
  };
}

async function serve(deps: VaultDoorDeps, services: VaultServices, exchange: Exchange): Promise<Answer> {
  const { request, peer, requestId } = exchange;
  const method = request.method ?? '';
  let identity: Identity | undefined;
  let action = 'vault.request';
  try {
    const { segments, query } = splitTarget(request.url ?? '/');
    const match = matchRoute(ROUTES, query.get('list') === 'true' && method === 'GET' ? 'LIST' : method, segments);
    if ('route' in match) exchange.route = match.route.path;
    if ('route' in match && match.route.open === true) return await match.route.serve(services, openCall(exchange));
    const token = tokenOf(request);
    const known = await whoAsks(deps, services.tokens, peer, token);
    identity = known.identity;
    if (!('route' in match)) throw noRoute(segments, match.methods);
    action = match.route.action;
    refuseUnserved(request, match.route);
    if (!inScopes(known.narrowed.scopes, action) && !action.startsWith('token.'))
      throw new AppError('denied', `This token is narrowed to ${known.narrowed.scopes.join(', ') || 'nothing'}.`);
    const body = await readJsonBody(exchange, MAX_BODY_BYTES);
    await services.tokens.spend(known.narrowed, requestId);
    const call: VaultCall = { ...known, peer, token, requestId, params: match.params, query, body };
    return await servedBy(match.route, services, call);
  } catch (thrown) {
    if (thrown instanceof Served) throw thrown.cause;
    const error = toAppError(thrown);
    if (error.code !== 'internal' && error.code !== 'unavailable') {
      const object = { kind: 'vault', id: `${method} ${whereOf(request)}` };
      await deps.gateway.refuse({
        ...(identity === undefined ? {} : { identity }),
        door: DOOR,
        requestId,
        action,
        object,
        error,
      });
    }
    throw error;
  }
}

/** An error of a crossing: it has its audit entry already. What is invalid mostly never got that far. */
class Served extends Error {}

async function servedBy(route: VaultRoute, services: VaultServices, call: VaultCall): Promise<Answer> {
  try {
    return await route.serve(services, call);
  } catch (cause) {
    if (toAppError(cause).code === 'invalid') throw cause;
    throw new Served('served', { cause });
  }
}

/**
 * In a sandbox the connection is the identity: a token that was made here for it may narrow, any other adds nothing and takes nothing.
 * Outside, the token at the root of the chain is checked in full each time.
 */
async function whoAsks(
  deps: VaultDoorDeps,
  tokens: ChildTokens,
  peer: Peer,
  token: string,
): Promise<{ identity: Identity; narrowed: Narrowed }> {
  const narrowed = await tokens.resolve(token);
  const identity = await deps.identify(peer, narrowed.rootToken === '' ? undefined : narrowed.rootToken);
  const foreign = narrowed.chain.some((row) => row.subject !== subjectOf(identity));
  if (foreign) {
    if (peer.kind === 'sandbox') return { identity, narrowed: { scopes: ['*'], chain: [], rootToken: token } };
    throw new AppError('unauthenticated', 'This token belongs to someone else.');
  }
  if (narrowed.chain.length === 0) return { identity, narrowed };
  return { identity: { ...identity, scopes: narrow(identity.scopes, narrowed.scopes) }, narrowed };
}

function tokenOf(request: IncomingMessage): string {
  const given = request.headers['x-vault-token'];
  if (typeof given === 'string' && given !== '') return given;
  return /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
}

/** The beginning of a path, for the audit log: further segments may be tokens, and so may queries. */
const whereOf = (request: IncomingMessage): string =>
  (request.url ?? '')
    .replace(/[?#].*$/s, '')
    .split('/')
    .slice(0, 5)
    .join('/')
    .slice(0, 200);

function refuseUnserved(request: IncomingMessage, route: VaultRoute): void {
  // An answer that should have been wrapped must never go out bare.
  if (request.headers['x-vault-wrap-ttl'] !== undefined)
    throw new AppError('unsupported', 'response wrapping is not offered here');
  const type = request.headers['content-type']?.split(';')[0]?.trim();
  if (route.mergePatch === true && type !== 'application/merge-patch+json')
    throw new AppError('invalid', 'PATCH needs the content type application/merge-patch+json');
}

function noRoute(segments: readonly string[], methods: readonly string[]): AppError {
  if (methods.length > 0) return new AppError('method_not_allowed', '1 error occurred:\n\t* unsupported operation\n\n');
  const path = segments.slice(1).join('/').slice(0, 200);
  return new AppError('not_found', `no handler for route "${path}". route entry not found.`, {
    details: { wire: 'message' },
  });
}

const NOBODY: Identity = { type: 'user', id: '', user: '', roles: [], scopes: [], purpose: '' };

const openCall = ({ peer, requestId }: Exchange): VaultCall => ({
  identity: NOBODY,
  peer,
  token: '',
  narrowed: { scopes: [], chain: [], rootToken: '' },
  requestId,
  params: {},
  query: new URLSearchParams(),
  body: {},
});
