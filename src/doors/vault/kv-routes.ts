/** `secret/…`: the KV version 2 engine. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { isGone, type SecretRules, type SecretValue, type VersionInfo } from '#src/secrets/secret.ts';
import { dynamicMetadata, isDynamic, readDynamic } from './dynamic-s3.ts';
import type { Answer } from './envelope.ts';
import { formatGoDuration, parseGoDuration } from './go-duration.ts';
import { parseBody } from './parse-body.ts';
import { callerOf, param, type VaultCall, type VaultRoute, type VaultServices } from './vault-call.ts';

const Value = z.record(z.string(), z.unknown());
const Write = z.object({
  data: Value.nullish(),
  options: z.object({ cas: z.coerce.number().int().min(0).optional() }).nullish(),
});
const Versions = z.object({
  versions: z.array(z.coerce.number().int().min(1)).min(1, 'no version number provided').max(1000),
});
const Rules = z.object({
  max_versions: z.coerce.number().int().min(0).max(10_000).nullish(),
  cas_required: z.boolean().nullish(),
  delete_version_after: z.union([z.string(), z.number()]).nullish(),
});
const Metadata = Rules.extend({ custom_metadata: z.record(z.string(), z.string().nullable()).nullish() });

const timeOf = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString());

/** Version metadata as it stands beside a value. */
export const versionView = (version: VersionInfo): Record<string, unknown> => ({
  created_time: timeOf(version.createdMs),
  custom_metadata: Object.keys(version.customMetadata).length === 0 ? null : version.customMetadata,
  deletion_time: timeOf(version.deletedMs),
  destroyed: version.destroyed,
  version: version.version,
});

function refuseDynamic(call: VaultCall): void {
  if (!isDynamic(call)) return;
  throw new AppError('invalid', 'secret/s3 is made for each sandbox; it cannot be written', {
    details: { hint: 'Use another path.' },
  });
}

function versionOf(call: VaultCall): number | undefined {
  const text = call.query.get('version') ?? '';
  if (text !== '' && !/^\d{1,9}$/.test(text)) throw new AppError('invalid', 'version must be a number');
  return Number(text) || undefined;
}

async function readData(services: VaultServices, call: VaultCall): Promise<Answer> {
  if (isDynamic(call)) return readDynamic(services, call);
  const read = await services.secrets.read({
    ...callerOf(call),
    path: param(call, 'path'),
    version: versionOf(call),
  });
  const metadata = versionView(read);
  if (read.value === undefined) return { status: 404, data: { data: null, metadata } };
  return { data: { data: read.value, metadata } };
}

async function readSubkeys(services: VaultServices, call: VaultCall): Promise<Answer> {
  const answer = await readData(services, call);
  const { data, metadata } = answer.data ?? {};
  const depth = Number(call.query.get('depth') ?? 0);
  const subkeys = data === null ? null : keysOnly(data, Number.isInteger(depth) && depth > 0 ? depth : 100);
  return { ...answer, leaseSeconds: 0, data: { subkeys, metadata } };
}

function keysOnly(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth === 0) return null;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, keysOnly(inner, depth - 1)]));
}

function writeData(how: 'write' | 'patch'): VaultRoute['serve'] {
  return async ({ secrets }, call) => {
    refuseDynamic(call);
    const { data, options } = parseBody(Write, call.body);
    if (data === undefined || data === null) throw new AppError('invalid', 'no data provided');
    const value: SecretValue = data;
    const request = { ...callerOf(call), path: param(call, 'path'), value, cas: options?.cas };
    return { data: versionView(await secrets[how](request)) };
  };
}

function remove(how: 'delete' | 'undelete' | 'destroy', named: boolean): VaultRoute['serve'] {
  return async ({ secrets }, call) => {
    refuseDynamic(call);
    const versions = named ? { versions: parseBody(Versions, call.body).versions } : {};
    try {
      await secrets.removeVersions({ ...callerOf(call), path: param(call, 'path'), how, ...versions });
    } catch (error) {
      // Vault answers 204 when there is nothing to delete.
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
    }
    return {};
  };
}

async function list({ secrets }: VaultServices, call: VaultCall): Promise<Answer> {
  const prefix = call.params.path ?? '';
  const keys = await secrets.list({ ...callerOf(call), prefix });
  const own = prefix === '' && call.peer.kind === 'sandbox' ? ['s3'] : [];
  const all = [...new Set([...keys, ...own])].sort();
  if (all.length === 0) throw new AppError('not_found', 'There is nothing below this path.');
  return { data: { keys: all } };
}

async function readMetadata(services: VaultServices, call: VaultCall): Promise<Answer> {
  if (call.query.get('list') === 'true') return list(services, call);
  if (isDynamic(call)) return dynamicMetadata(services, call);
  const { secret, versions } = await services.secrets.readMetadata({ ...callerOf(call), path: param(call, 'path') });
  const nowMs = services.clock.nowMs();
  const views = versions.map((version) => [
    String(version.version),
    {
      created_time: timeOf(version.createdMs),
      deletion_time: isGone(version, nowMs) || version.deletedMs !== null ? timeOf(version.deletedMs) : '',
      destroyed: version.destroyed,
    },
  ]);
  return {
    data: {
      cas_required: secret.casRequired,
      created_time: timeOf(secret.createdMs),
      current_version: secret.currentVersion,
      custom_metadata: Object.keys(secret.customMetadata).length === 0 ? null : secret.customMetadata,
      delete_version_after: formatGoDuration(secret.deleteAfterMs),
      max_versions: secret.maxVersions,
      oldest_version: versions[0]?.version ?? 0,
      updated_time: timeOf(secret.updatedMs),
      versions: Object.fromEntries(views),
    },
  };
}

function rulesOf(body: z.infer<typeof Rules>): Partial<SecretRules> {
  const { max_versions: most, cas_required: cas, delete_version_after: after } = body;
  return {
    ...(most === undefined || most === null ? {} : { maxVersions: most }),
    ...(cas === undefined || cas === null ? {} : { casRequired: cas }),
    ...(after === undefined || after === null ? {} : { deleteAfterMs: parseGoDuration(after) }),
  };
}

function writeMetadata(how: 'write' | 'patch'): VaultRoute['serve'] {
  return async ({ secrets }, call) => {
    refuseDynamic(call);
    const body = parseBody(Metadata, call.body);
    const given = body.custom_metadata;
    await secrets.writeMetadata({
      ...callerOf(call),
      path: param(call, 'path'),
      mustExist: how === 'patch',
      change: (secret) => {
        if (given === undefined) return rulesOf(body);
        const before = how === 'patch' ? Object.entries(secret.customMetadata) : [];
        const merged = new Map<string, string | null>([...before, ...Object.entries(given ?? {})]);
        const kept = [...merged].filter((entry): entry is [string, string] => entry[1] !== null);
        return { ...rulesOf(body), customMetadata: Object.fromEntries(kept) };
      },
    });
    return {};
  };
}

async function readConfig({ secrets }: VaultServices, call: VaultCall): Promise<Answer> {
  const rules = await secrets.readConfig(callerOf(call));
  return {
    data: {
      cas_required: rules.casRequired,
      delete_version_after: formatGoDuration(rules.deleteAfterMs),
      max_versions: rules.maxVersions,
    },
  };
}

const both = (path: string, action: string, serve: VaultRoute['serve']): VaultRoute[] =>
  ['POST', 'PUT'].map((method) => ({ method, path, action, serve }));

/** All of KV version 2 on the mount `secret/`. */
export const KV_ROUTES: readonly VaultRoute[] = [
  { method: 'GET', path: '/v1/secret/config', action: 'secret.list', serve: readConfig },
  ...both('/v1/secret/config', 'secret.configure', async ({ secrets }, call) => {
    await secrets.writeConfig({ ...callerOf(call), change: rulesOf(parseBody(Rules, call.body)) });
    return {};
  }),
  { method: 'GET', path: '/v1/secret/data/*path', action: 'secret.read', serve: readData },
  ...both('/v1/secret/data/*path', 'secret.write', writeData('write')),
  {
    method: 'PATCH',
    path: '/v1/secret/data/*path',
    action: 'secret.write',
    mergePatch: true,
    serve: writeData('patch'),
  },
  { method: 'DELETE', path: '/v1/secret/data/*path', action: 'secret.delete', serve: remove('delete', false) },
  ...both('/v1/secret/delete/*path', 'secret.delete', remove('delete', true)),
  ...both('/v1/secret/undelete/*path', 'secret.write', remove('undelete', true)),
  ...both('/v1/secret/destroy/*path', 'secret.delete', remove('destroy', true)),
  { method: 'GET', path: '/v1/secret/subkeys/*path', action: 'secret.read', serve: readSubkeys },
  { method: 'LIST', path: '/v1/secret/metadata', action: 'secret.list', serve: list },
  { method: 'GET', path: '/v1/secret/metadata', action: 'secret.list', serve: list },
  { method: 'LIST', path: '/v1/secret/metadata/*path', action: 'secret.list', serve: list },
  { method: 'GET', path: '/v1/secret/metadata/*path', action: 'secret.read', serve: readMetadata },
  ...both('/v1/secret/metadata/*path', 'secret.write', writeMetadata('write')),
  {
    method: 'PATCH',
    path: '/v1/secret/metadata/*path',
    action: 'secret.write',
    mergePatch: true,
    serve: writeMetadata('patch'),
  },
  {
    method: 'DELETE',
    path: '/v1/secret/metadata/*path',
    action: 'secret.delete',
    serve: async ({ secrets }, call) => {
      refuseDynamic(call);
      await secrets.remove({ ...callerOf(call), path: param(call, 'path') });
      return {};
    },
  },
];
