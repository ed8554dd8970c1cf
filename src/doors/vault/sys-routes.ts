/** `sys/…`: health, seal status and the mounts that clients look for. */
import { AppError } from '#kernel/errors.ts';
import type { Answer } from './envelope.ts';
import { callerOf, type VaultCall, type VaultRoute, type VaultServices } from './vault-call.ts';

const SECRET_MOUNT = {
  accessor: 'kv_fumehood',
  config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
  description: 'key/value secret storage',
  external_entropy_access: false,
  local: false,
  // Vault's own command line reads this as a string.
  options: { version: '2' },
  seal_wrap: false,
  type: 'kv',
  uuid: 'fumehood-secret',
};
const TOKEN_MOUNT = {
  accessor: 'auth_token_fumehood',
  config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0, token_type: 'default-service' },
  description: 'token based credentials',
  local: false,
  options: null,
  type: 'token',
  uuid: 'fumehood-token',
};

async function health(services: VaultServices): Promise<Answer> {
  return {
    status: 200,
    body: {
      initialized: true,
      sealed: false,
      standby: false,
      performance_standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: Math.floor(services.clock.nowMs() / 1000),
      version: services.version,
      cluster_name: 'fumehood',
      cluster_id: services.clusterId,
    },
  };
}

async function sealStatus(services: VaultServices): Promise<Answer> {
  return {
    body: {
      type: 'shamir',
      initialized: true,
      sealed: false,
      t: 1,
      n: 1,
      progress: 0,
      nonce: '',
      version: services.version,
      migration: false,
      cluster_name: 'fumehood',
      cluster_id: services.clusterId,
      recovery_seal: false,
      storage_type: 'fumehood',
    },
  };
}

async function crossMounts(services: VaultServices, call: VaultCall): Promise<void> {
  const object = { type: 'mount', id: 'secret/', name: 'secret/', owner: call.identity.user, labels: [] };
  await services.gateway.cross({
    ...callerOf(call),
    action: 'secret.list',
    object: { kind: 'mount', id: 'secret/' },
    ask: async () => [{ action: 'secret.list', resource: 'secret', object }],
    act: async () => undefined,
  });
}

async function mounts(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossMounts(services, call);
  return { data: { 'secret/': SECRET_MOUNT }, flat: true };
}

async function uiMounts(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossMounts(services, call);
  return { data: { auth: { 'token/': TOKEN_MOUNT }, secret: { 'secret/': SECRET_MOUNT } } };
}

async function uiMount(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossMounts(services, call);
  const { path = '' } = call.params;
  if (path !== 'secret' && !path.startsWith('secret/')) {
    throw new AppError('denied', `preflight capability check returned 403: there is no mount for "${path}"`, {
      details: { hint: 'The only mount is secret/.' },
    });
  }
  return { data: { ...SECRET_MOUNT, path: 'secret/' } };
}

export const SYS_ROUTES: readonly VaultRoute[] = [
  { method: 'GET', path: '/v1/sys/health', action: 'vault.status', open: true, serve: health },
  { method: 'HEAD', path: '/v1/sys/health', action: 'vault.status', open: true, serve: health },
  {
    method: 'GET',
    path: '/v1/sys/init',
    action: 'vault.status',
    open: true,
    serve: async () => ({ body: { initialized: true } }),
  },
  { method: 'GET', path: '/v1/sys/seal-status', action: 'vault.status', open: true, serve: sealStatus },
  { method: 'GET', path: '/v1/sys/mounts', action: 'secret.list', serve: mounts },
  { method: 'GET', path: '/v1/sys/internal/ui/mounts', action: 'secret.list', serve: uiMounts },
  { method: 'GET', path: '/v1/sys/internal/ui/mounts/*path', action: 'secret.list', serve: uiMount },
];
