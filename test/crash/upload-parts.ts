/** Uploads in parts through the S3 door, signed as outside of a sandbox they must be. */
import { type AccessKey, sha256Hex, signS3 } from '../sign-s3.ts';

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
  const payload = sha256Hex(body ?? '');
  const { headers } = signS3(key, { method, target, headers: { host: url.host }, payload });
  try {
    const response = await fetch(url, {
      method,
      headers,
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
