import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { AccessKeys } from './access-keys.ts';

type Deps = {
  accessKeys: AccessKeys;
  gateway: Pick<Gateway, 'system'>;
  /** Who a sandbox is; throws when it is gone. */
  identityOf: (sandboxId: string) => Promise<Identity>;
  /** Where the S3 door is, seen from inside a sandbox. */
  endpoint: string;
  ttlMs: number;
};

export type SandboxKey = { accessKeyId: string; secretAccessKey: string; endpoint: string; expiresAtMs: number };

/** Issues the key pair that a sandbox reads as its dynamic secret `s3`; it dies with the sandbox, or when its time is over. */
export async function issueSandboxKey(deps: Deps, request: { sandboxId: string }): Promise<SandboxKey> {
  const { sandboxId } = request;
  const identity = await deps.identityOf(sandboxId);
  const key = await deps.accessKeys.issue({ identity, sandboxId, readOnly: false, ttlMs: deps.ttlMs });
  const { accessKeyId, secretAccessKey, expiresMs } = key;
  await deps.gateway.system({
    action: 'object.key.issue',
    object: { kind: 'access-key', id: accessKeyId },
    requestId: accessKeyId,
    about: identity,
    details: { sandbox: sandboxId },
    act: (tx) => key.save(tx),
  });
  return { accessKeyId, secretAccessKey, endpoint: deps.endpoint, expiresAtMs: expiresMs };
}
