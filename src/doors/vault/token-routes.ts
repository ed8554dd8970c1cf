/** `auth/token/…`: what the caller's token is, and tokens that narrow it. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type ChildToken, changeToken, DEFAULT_TTL_MS, inScopes, narrow, tokenQuestion } from './child-token.ts';
import type { Answer, Auth } from './envelope.ts';
import { parseGoDuration } from './go-duration.ts';
import { parseBody } from './parse-body.ts';
import { callerOf, type VaultCall, type VaultRoute, type VaultServices } from './vault-call.ts';

const Span = z.union([z.string(), z.number()]).nullish();
const Create = z.object({
  policies: z.array(z.string().max(128)).max(64).nullish(),
  meta: z.record(z.string().max(128), z.string().max(512)).nullish(),
  display_name: z.string().max(128).nullish(),
  renewable: z.boolean().nullish(),
  ttl: Span,
  lease: Span,
  explicit_max_ttl: Span,
  num_uses: z.coerce.number().int().min(0).max(1_000_000).nullish(),
  type: z.enum(['', 'default', 'service']).nullish(),
  no_parent: z.literal(false, 'a token without a parent is not offered').nullish(),
  id: z.literal('', 'the id of a token cannot be chosen').nullish(),
  period: z.union([z.literal(''), z.literal(0)], 'periodic tokens are not offered').nullish(),
});
const Renew = z.object({ increment: Span });

/** Scopes as Vault names policies. */
const policiesOf = (scopes: readonly string[]): string[] => ['default', ...scopes.filter((scope) => scope !== '*')];

function authOf(token: string, row: ChildToken, nowMs: number): Auth {
  const policies = policiesOf(row.scopes);
  return {
    client_token: token,
    accessor: row.accessor,
    policies,
    token_policies: policies,
    metadata: row.metadata,
    lease_duration: Math.max(0, Math.round((row.expiresMs - nowMs) / 1000)),
    renewable: row.renewable,
    entity_id: '',
    token_type: 'service',
    orphan: false,
    num_uses: row.numUses,
  };
}

async function create(services: VaultServices, call: VaultCall): Promise<Answer> {
  const body = parseBody(Create, call.body);
  const own = effectiveScopes(call);
  const wanted = (body.policies ?? []).filter((policy) => policy !== 'default');
  const scopes = wanted.length === 0 ? own : narrow(own, wanted);
  if (scopes.length < wanted.length) throw new AppError('invalid', 'child policies must be subset of parent');
  const asked = body.ttl ?? body.lease;
  const cap = body.explicit_max_ttl ? parseGoDuration(body.explicit_max_ttl) : 0;
  const maxTtlMs = cap > 0 ? Math.min(cap, DEFAULT_TTL_MS) : DEFAULT_TTL_MS;
  const ttlMs = Math.min((asked ? parseGoDuration(asked) : 0) || DEFAULT_TTL_MS, maxTtlMs);
  const { token, row } = await services.tokens.create({
    identity: call.identity,
    parentToken: call.token,
    requestId: call.requestId,
    scopes,
    displayName: body.display_name ? `token-${body.display_name}` : 'token',
    metadata: body.meta ?? {},
    renewable: body.renewable ?? true,
    ttlMs,
    maxTtlMs,
    numUses: body.num_uses ?? 0,
  });
  return { auth: authOf(token, row, services.clock.nowMs()) };
}

const effectiveScopes = (call: VaultCall): string[] => {
  const { scopes } = call.narrowed;
  return scopes.includes('*') ? call.identity.scopes : scopes;
};

/** One crossing that says who asks about their own token. */
async function crossSelf(services: VaultServices, call: VaultCall): Promise<void> {
  await services.gateway.cross({
    ...callerOf(call),
    action: 'token.read',
    object: { kind: 'token', id: 'self' },
    ask: async () => [tokenQuestion('token.read', call.identity)],
    act: async () => undefined,
  });
}

async function lookupSelf(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossSelf(services, call);
  const nowMs = services.clock.nowMs();
  const [row] = call.narrowed.chain;
  const { identity } = call;
  const who = { user: identity.user, ...(identity.type === 'sandbox' ? { sandbox: identity.id } : {}) };
  const expires = row === undefined ? null : new Date(row.expiresMs).toISOString();
  return {
    data: {
      accessor: row?.accessor ?? '',
      creation_time: Math.floor((row?.createdMs ?? nowMs) / 1000),
      creation_ttl: Math.round((row?.ttlMs ?? 0) / 1000),
      display_name: row?.displayName ?? `${identity.type}-${identity.id}`,
      entity_id: '',
      expire_time: expires,
      explicit_max_ttl: row === undefined || row.maxTtlMs === DEFAULT_TTL_MS ? 0 : Math.round(row.maxTtlMs / 1000),
      id: call.token,
      issue_time: new Date(row?.createdMs ?? nowMs).toISOString(),
      meta: { ...who, ...row?.metadata },
      num_uses: row === undefined || row.numUses === 0 ? 0 : row.usesLeft - 1,
      orphan: row === undefined,
      path: row === undefined ? 'auth/token/root' : 'auth/token/create',
      policies: policiesOf(effectiveScopes(call)),
      renewable: row?.renewable ?? false,
      ttl: row === undefined ? 0 : Math.max(0, Math.round((row.expiresMs - nowMs) / 1000)),
      type: 'service',
    },
  };
}

async function renewSelf(services: VaultServices, call: VaultCall): Promise<Answer> {
  const [row] = call.narrowed.chain;
  if (row === undefined || !row.renewable) {
    await crossSelf(services, call);
    throw new AppError('invalid', 'lease is not renewable');
  }
  const { increment } = parseBody(Renew, call.body);
  const wantedMs = (increment ? parseGoDuration(increment) : 0) || row.ttlMs;
  const changed = await changeToken(services, {
    identity: call.identity,
    requestId: call.requestId,
    action: 'token.renew',
    row,
    change: (before, nowMs) => ({
      expiresMs: Math.min(nowMs + wantedMs, before.createdMs + before.maxTtlMs),
      revokedMs: before.revokedMs,
    }),
  });
  return { auth: authOf(call.token, changed, services.clock.nowMs()) };
}

async function revokeSelf(services: VaultServices, call: VaultCall): Promise<Answer> {
  const [row] = call.narrowed.chain;
  if (row !== undefined) {
    await changeToken(services, {
      identity: call.identity,
      requestId: call.requestId,
      action: 'token.revoke',
      row,
      change: (before, nowMs) => ({ expiresMs: before.expiresMs, revokedMs: nowMs }),
    });
    return {};
  }
  await crossSelf(services, call);
  // In a sandbox the connection is the identity: there is nothing that could be revoked.
  if (call.peer.kind === 'sandbox') return {};
  throw new AppError('invalid', 'this token was not made here: revoke it with "fumehood token revoke"');
}

const CAPABILITIES: readonly [string, string[]][] = [
  ['secret.read', ['read']],
  ['secret.list', ['list']],
  ['secret.write', ['create', 'update', 'patch']],
  ['secret.delete', ['delete']],
];

async function capabilitiesSelf(services: VaultServices, call: VaultCall): Promise<Answer> {
  const { paths, path } = parseBody(
    z.object({ paths: z.array(z.string().max(1024)).max(16).nullish(), path: z.string().max(1024).nullish() }),
    call.body,
  );
  const asked = paths ?? (path === undefined || path === null ? [] : [path]);
  if (asked.length === 0) throw new AppError('invalid', 'paths must be supplied');
  await crossSelf(services, call);
  const found: [string, string[]][] = [];
  for (const one of asked) found.push([one, await capabilitiesOf(services, call, one)]);
  const data = { ...Object.fromEntries(found), capabilities: found[0]?.[1] ?? [] };
  return { data, flat: true };
}

async function capabilitiesOf(services: VaultServices, call: VaultCall, path: string): Promise<string[]> {
  const id = /^\/?secret\/(?:data|metadata|subkeys|delete|undelete|destroy)\/(.*)$/.exec(path)?.[1];
  const capabilities: string[] = [];
  for (const [action, names] of id === undefined ? [] : CAPABILITIES) {
    if (!inScopes(call.narrowed.scopes, action)) continue;
    const object = { type: 'secret', id: id ?? '', name: id ?? '', labels: [] };
    try {
      await services.gateway.check({
        ...callerOf(call),
        action,
        object: { kind: 'secret', id: id ?? '' },
        ask: async (_reader, subject) => [{ action, resource: 'secret', object: { ...object, owner: subject.user } }],
      });
      capabilities.push(...names);
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 403) throw error;
    }
  }
  return capabilities.length === 0 ? ['deny'] : capabilities.sort();
}

const both = (path: string, action: string, serve: VaultRoute['serve']): VaultRoute[] =>
  ['POST', 'PUT'].map((method) => ({ method, path, action, serve }));

export const TOKEN_ROUTES: readonly VaultRoute[] = [
  ...both('/v1/auth/token/create', 'token.create', create),
  { method: 'GET', path: '/v1/auth/token/lookup-self', action: 'token.read', serve: lookupSelf },
  ...both('/v1/auth/token/renew-self', 'token.renew', renewSelf),
  ...both('/v1/auth/token/revoke-self', 'token.revoke', revokeSelf),
  ...both('/v1/sys/capabilities-self', 'token.read', capabilitiesSelf),
];
