import type { Clock } from '#kernel/clock.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Exchange } from '#src/gateway/door.ts';
import type { AccessKey } from '#src/objects/access-key.ts';
import type { ChunkSigning } from './aws-chunked.ts';
import { wireError } from './s3-error.ts';
import type { S3Request } from './s3-request.ts';
import { type Credential, checkTime, chunkSigning, readCredential, verifyRequest } from './signature.ts';

type Deps = {
  clock: Clock;
  /** Who a sandbox's connection is. */
  identify: (exchange: Exchange) => Promise<Identity>;
  accessKeys: {
    find(accessKeyId: string): Promise<{ key: AccessKey; secretAccessKey: string } | undefined>;
  };
  /** The key that signs under a scope. */
  signingKey: (secretAccessKey: string, scope: string) => Uint8Array;
};

/** Who asks, and what their key still lets them do. */
export type Authenticated = { identity: Identity; readOnly: boolean; signing: ChunkSigning | undefined };

type Verified = Authenticated & { sandboxId: string | undefined };

/**
 * Outside of sandboxes a signature by a key of Fumehood's is who one is. In a sandbox the connection is, and such a key only narrows: it may be
 * read-only, expired (refused) or wrongly signed (refused); any other key adds nothing and takes nothing. A sandbox's own key is refused
 * outside of it: data would leave without the sandbox's labels.
 */
export async function authenticate(deps: Deps, exchange: Exchange, request: S3Request): Promise<Authenticated> {
  if (exchange.peer.kind === 'sandbox') {
    const identity = await deps.identify(exchange);
    const narrowed = await verified(deps, request, true);
    return { identity, readOnly: narrowed?.readOnly ?? false, signing: narrowed?.signing };
  }
  const found = await verified(deps, request, false);
  if (found?.sandboxId !== undefined) {
    throw wireError('AccessDenied', "This access key is a sandbox's own: it is worth nothing outside of it.");
  }
  if (found === undefined) {
    if (request.query.has('AWSAccessKeyId')) throw oldSignature();
    throw wireError(
      'AccessDenied',
      'Requests from outside of sandboxes are signed.',
      'Get a key pair from the API: POST /api/v1/access-keys.',
    );
  }
  return found;
}

async function verified(deps: Deps, request: S3Request, lenient: boolean): Promise<Verified | undefined> {
  const credential = readLeniently(request, lenient);
  if (credential === undefined) return undefined;
  const found = await deps.accessKeys.find(credential.accessKeyId);
  if (found === undefined) {
    if (lenient) return undefined;
    throw wireError('InvalidAccessKeyId', 'There is no such access key: it was never issued, or it was revoked.');
  }
  if (found.key.expiresMs <= deps.clock.nowMs()) {
    throw wireError('ExpiredToken', 'The access key has expired.', 'Get a new one.');
  }
  checkTime(credential, deps.clock.nowMs());
  const payloadHash = payloadHashOf(request, credential);
  const key = deps.signingKey(found.secretAccessKey, credential.scope);
  verifyRequest(request.signed, credential, payloadHash, key);
  const signed = payloadHash.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
  const signing = signed ? chunkSigning(credential, key) : undefined;
  const { identity, readOnly, sandboxId } = found.key;
  return { identity, readOnly, sandboxId, signing };
}

const oldSignature = () =>
  wireError(
    'AccessDenied',
    'This URL is signed with Signature Version 2, which is not accepted.',
    'Presign with Signature Version 4 (in boto3: Config(signature_version="s3v4")).',
  );

/** In a sandbox a signature that cannot even be read is that of some unknown key. */
function readLeniently(request: S3Request, lenient: boolean): Credential | undefined {
  try {
    return readCredential(request.signed);
  } catch (error) {
    if (lenient) return undefined;
    throw error;
  }
}

function payloadHashOf(request: S3Request, credential: Credential): string {
  const sent = request.headers.get('x-amz-content-sha256');
  if (credential.expiresSeconds !== undefined) return sent ?? 'UNSIGNED-PAYLOAD';
  if (sent === undefined) throw wireError('InvalidRequest', 'A signed request needs the header x-amz-content-sha256.');
  return sent;
}
