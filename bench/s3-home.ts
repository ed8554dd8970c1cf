/** A control plane of its own, with a key pair for its S3 door and a bucket. */
import { startControlPlane } from '../test/control-plane.ts';
import { type S3Place, signedHeaders } from './sign-s3.ts';

export const BUCKET = 'bench';

export type S3Home = S3Place & { pid: number; close(): Promise<void> };

export async function openS3Home(): Promise<S3Home> {
  const control = await startControlPlane();
  const token = await control.user('bench', 'engineer');
  const place = await makeS3Place({ url: control.url, doors: control.doors, token });
  return { ...place, pid: await control.pid(), close: () => control.close() };
}

/** A key pair for the user of a token, and a bucket. */
export async function makeS3Place(of: { url: string; doors: Record<string, string>; token: string }): Promise<S3Place> {
  const answer = await fetch(`${of.url}/api/v1/access-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${of.token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!answer.ok) throw new Error(`no access key: ${await answer.text()}`);
  const { accessKeyId, secretAccessKey } = (await answer.json()) as Omit<S3Place, 'port'>;
  const place: S3Place = { port: Number(new URL(of.doors.s3 ?? '').port), accessKeyId, secretAccessKey };
  const made = await fetch(`http://127.0.0.1:${place.port}/${BUCKET}`, {
    method: 'PUT',
    headers: signedHeaders(place, 'PUT', `/${BUCKET}`),
  });
  if (!made.ok) throw new Error(`no bucket: ${await made.text()}`);
  return place;
}
