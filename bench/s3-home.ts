/** A control plane of its own, with a key pair for its S3 door and a bucket. */
import { startControlPlane } from '../test/control-plane.ts';
import { type S3Place, signedHeaders } from './sign-s3.ts';

export const BUCKET = 'bench';

export type S3Home = S3Place & { pid: number; close(): Promise<void> };

export async function openS3Home(): Promise<S3Home> {
  const control = await startControlPlane();
  const authorization = `Bearer ${await control.user('bench', 'engineer')}`;
  const answer = await fetch(`${control.url}/api/v1/access-keys`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!answer.ok) throw new Error(`no access key: ${await answer.text()}`);
  const { accessKeyId, secretAccessKey } = (await answer.json()) as Omit<S3Place, 'port'>;
  const port = Number(new URL(control.doors.s3 ?? '').port);
  const home = { port, accessKeyId, secretAccessKey, pid: await control.pid(), close: () => control.close() };
  const made = await fetch(`http://127.0.0.1:${port}/${BUCKET}`, {
    method: 'PUT',
    headers: signedHeaders(home, 'PUT', `/${BUCKET}`),
  });
  if (!made.ok) throw new Error(`no bucket: ${await made.text()}`);
  return home;
}
