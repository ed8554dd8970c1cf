/** The headers with which a client signs an S3 request (AWS Signature Version 4, payload not signed). */
import { signingKey, signRequest } from '#src/doors/s3/signature.ts';

export type S3Place = { port: number; accessKeyId: string; secretAccessKey: string };

/** Signs a request (`query` as it is sent, without the question mark) for a server on loopback, now. */
export function signedHeaders(place: S3Place, method: string, path: string, query = ''): Record<string, string> {
  const [seconds = ''] = new Date().toISOString().replace(/[-:]/g, '').split('.');
  const date = `${seconds}Z`;
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const payload = 'UNSIGNED-PAYLOAD';
  const headers = { host: `127.0.0.1:${place.port}`, 'x-amz-content-sha256': payload, 'x-amz-date': date };
  const names = Object.keys(headers);
  const signature = signRequest(
    { method, path, query, headers: new Map(Object.entries(headers)) },
    { signedHeaders: names, date, scope },
    payload,
    signingKey(place.secretAccessKey, scope),
  );
  const credential = `Credential=${place.accessKeyId}/${scope}`;
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { ...headers, authorization };
}
