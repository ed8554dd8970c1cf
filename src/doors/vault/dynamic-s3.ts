/** `secret/s3` in a sandbox: a short-lived S3 key pair of that sandbox's own, made anew at every read. */
import { auditSecret, nodeOfSecret } from '#src/secrets/secret.ts';
import type { Answer } from './envelope.ts';
import { callerOf, type VaultCall, type VaultServices } from './vault-call.ts';

const PATH = 's3';

/** True when the call is about the sandbox's own key pair. The name is kept free outside as well, so that it never means two things. */
export const isDynamic = (call: VaultCall): boolean => call.params.path === PATH;

/** Reads it: policy and audit first, then the pair is made. Outside a sandbox there is none. */
export async function readDynamic(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossDynamic(services, call, 'secret.read');
  if (call.peer.kind !== 'sandbox') return { status: 404, body: { errors: [] } };
  const key = await services.issueAccessKey({ sandboxId: call.peer.sandboxId });
  const nowMs = services.clock.nowMs();
  const { accessKeyId, secretAccessKey, endpoint } = key;
  return {
    leaseSeconds: Math.max(0, Math.floor((key.expiresAtMs - nowMs) / 1000)),
    data: {
      data: {
        key: accessKeyId,
        secret: secretAccessKey,
        access_key: accessKeyId,
        secret_key: secretAccessKey,
        aws_access_key_id: accessKeyId,
        aws_secret_access_key: secretAccessKey,
        endpoint_url: endpoint,
        expires_at: new Date(key.expiresAtMs).toISOString(),
      },
      metadata: {
        created_time: new Date(nowMs).toISOString(),
        custom_metadata: null,
        deletion_time: '',
        destroyed: false,
        version: 1,
      },
    },
  };
}

/** Its metadata, as of a secret with one version. */
export async function dynamicMetadata(services: VaultServices, call: VaultCall): Promise<Answer> {
  await crossDynamic(services, call, 'secret.read');
  if (call.peer.kind !== 'sandbox') return { status: 404, body: { errors: [] } };
  const time = new Date(services.clock.nowMs()).toISOString();
  return {
    data: {
      cas_required: false,
      created_time: time,
      current_version: 1,
      custom_metadata: null,
      delete_version_after: '0s',
      max_versions: 1,
      oldest_version: 1,
      updated_time: time,
      versions: { 1: { created_time: time, deletion_time: '', destroyed: false } },
    },
  };
}

async function crossDynamic(services: VaultServices, call: VaultCall, action: 'secret.read'): Promise<void> {
  await services.gateway.cross({
    ...callerOf(call),
    action,
    object: auditSecret(PATH),
    ask: async (_reader, subject) => [
      {
        action,
        resource: 'secret',
        object: { type: 'secret', id: PATH, name: PATH, owner: subject.user, dynamic: true, labels: [] },
      },
    ],
    act: async (_tx, crossing) => crossing.reads(nodeOfSecret(PATH)),
  });
}
