/** Uploads in parts through the S3 door, signed as outside of a sandbox they must be. */
import { createHash } from 'node:crypto';
import { signingKey, signRequest } from '#src/doors/s3/signature.ts';

export type AccessKey = { accessKeyId: string; secretAccessKey: string };

export const BUCKET = 'crash';

/** One signed request; undefined when no answer came. */
export async function askS3(
  endpoint: string,
  key: AccessKey,
  method: string,
  target: string,
  body?: string,
): Promise<{ ok: boolean; text: string; etag: string } | undefined> {
  const url = new URL(endpoint + target);
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const payload = createHash('sha256')
    .update(body ?? '')
    .digest('hex');
  const headers: Record<string, string> = { host: url.host, 'x-amz-content-sha256': payload, 'x-amz-date': date };
  const signedHeaders = Object.keys(headers).sort();
  const request = { method, path: url.pathname, query: url.search.slice(1), headers: new Map(Object.entries(headers)) };
  const signature = signRequest(
    request,
    { signedHeaders, date, scope },
    payload,
    signingKey(key.secretAccessKey, scope),
  );
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, authorization },
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body }),
    });
    return { ok: response.ok, text: await response.text(), etag: response.headers.get('etag') ?? '' };
  } catch {
    return undefined;
  }
}

/** Begins an upload, sends one part, completes it. True once the whole is acknowledged. */
export async function uploadParts(endpoint: string, key: AccessKey, name: string, content: string): Promise<boolean> {
  const begun = await askS3(endpoint, key, 'POST', `/${BUCKET}/${name}?uploads=`);
  const id = /<UploadId>([^<]+)</.exec(begun?.text ?? '')?.[1];
  if (begun?.ok !== true || id === undefined) return false;
  const part = await askS3(endpoint, key, 'PUT', `/${BUCKET}/${name}?partNumber=1&uploadId=${id}`, content);
  if (part?.ok !== true) return false;
  const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.etag}</ETag></Part></CompleteMultipartUpload>`;
  const done = await askS3(endpoint, key, 'POST', `/${BUCKET}/${name}?uploadId=${id}`, list);
  return done?.ok === true && done.text.includes('<CompleteMultipartUploadResult');
}
