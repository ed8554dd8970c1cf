/** Requests to the S3 door as an S3 client signs them (AWS Signature Version 4, in the header Authorization). */
import { createHash, createHmac } from 'node:crypto';
import { signingKey, signRequest } from '#src/doors/s3/signature.ts';

export type AccessKey = { accessKeyId: string; secretAccessKey: string };

export type ToSign = {
  method: string;
  /** Path and query, as they are sent. */
  target: string;
  /** Lower-case names; `host` is one of them. All are signed. */
  headers: Record<string, string>;
  /** What goes into `x-amz-content-sha256`: a digest in hex, or a word such as `UNSIGNED-PAYLOAD`. */
  payload: string;
};

/** Gives the signatures of the chunks of a body, one after the other. */
export type ChunkSigner = { chunk(bytes: Uint8Array): string; trailer(text: string): string };

export type Signed = { headers: Record<string, string>; chunks: ChunkSigner };

export const sha256Hex = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Signs a request now; throws where its URL cannot be decoded. */
export function signS3(key: AccessKey, { method, target, headers, payload }: ToSign): Signed {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const all: Record<string, string> = { ...headers, 'x-amz-content-sha256': payload, 'x-amz-date': date };
  const signedHeaders = Object.keys(all).sort();
  const [path = '', ...query] = target.split('?');
  const request = { method, path, query: query.join('?'), headers: new Map(Object.entries(all)) };
  const secret = signingKey(key.secretAccessKey, scope);
  const signature = signRequest(request, { signedHeaders, date, scope }, payload, secret);
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  let previous = signature;
  const next = (kind: string, ...digests: string[]): string => {
    const lines = [`AWS4-HMAC-SHA256-${kind}`, date, scope, previous, ...digests];
    previous = createHmac('sha256', secret).update(lines.join('\n')).digest('hex');
    return previous;
  };
  return {
    headers: { ...all, authorization },
    chunks: {
      chunk: (bytes) => next('PAYLOAD', sha256Hex(''), sha256Hex(bytes)),
      trailer: (text) => next('TRAILER', sha256Hex(text)),
    },
  };
}
