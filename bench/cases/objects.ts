import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane } from '../../test/control-plane.ts';
import { goTool } from '../../test/go-tool.ts';
import { type Row, timedRounds } from '../measure.ts';
import { answering, ended, execute, freePort, startServer } from '../processes.ts';
import type { S3Load, S3LoadResult } from '../s3-load.ts';
import { signedHeaders } from '../sign-s3.ts';

const MIB = 2 ** 20;
const ROUNDS = 5;
const BUCKET = 'bench';

type Target = Pick<S3Load, 'port' | 'accessKeyId' | 'secretAccessKey'> & { name: string; close(): Promise<void> };
type Shape = Pick<S3Load, 'sizeBytes' | 'connections' | 'requests'>;

const LARGE: Shape = { sizeBytes: 64 * MIB, connections: 2, requests: 6 };
const SMALL: Shape = { sizeBytes: 4096, connections: 8, requests: 2000 };

/** PUT and GET of large and small objects beside versitygw on the same disk, which neither encrypts nor syncs nor audits. */
export async function measureObjects(say: (text: string) => void): Promise<Row[]> {
  const targets = [await openFumehood(), await openVersity()];
  try {
    const rows: Row[] = [];
    for (const [what, shape] of [
      ['64 MiB', LARGE],
      ['4 KiB', SMALL],
    ] as const) {
      for (const method of ['PUT', 'GET'] as const) {
        say(`${method} of ${what}`);
        const [ours = 0, theirs = 0] = await timedRounds(
          ROUNDS,
          targets.map((target) => async () => {
            const { perSecond } = await loadWith(target, method, shape);
            return perSecond * (shape === LARGE ? shape.sizeBytes / 1e6 : 1);
          }),
        );
        rows.push({
          what: `S3 ${method} of ${what}, ${shape.connections} connections`,
          value: ours,
          unit: shape === LARGE ? 'MB/s' : '/s',
          against: [{ name: 'versitygw', value: theirs, ratio: ours / theirs }],
          reach: '>= 1.0x',
          reached: ours >= theirs,
        });
      }
    }
    return rows;
  } finally {
    for (const target of targets) await target.close();
  }
}

async function loadWith(target: Target, method: S3Load['method'], shape: Shape): Promise<S3LoadResult> {
  const { port, accessKeyId, secretAccessKey } = target;
  const load: S3Load = { port, accessKeyId, secretAccessKey, bucket: BUCKET, method, ...shape };
  const program = join(import.meta.dirname, '../s3-load.ts');
  return JSON.parse(await execute(process.execPath, [program], JSON.stringify(load))) as S3LoadResult;
}

async function openFumehood(): Promise<Target> {
  const control = await startControlPlane();
  const authorization = `Bearer ${await control.user('bench', 'engineer')}`;
  const answer = await fetch(`${control.url}/api/v1/access-keys`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!answer.ok) throw new Error(`no access key: ${await answer.text()}`);
  const { accessKeyId, secretAccessKey } = (await answer.json()) as Pick<S3Load, 'accessKeyId' | 'secretAccessKey'>;
  const port = Number(new URL(control.doors.s3 ?? '').port);
  const target = { name: 'fumehood', port, accessKeyId, secretAccessKey, close: () => control.close() };
  const headers = signedHeaders(target, 'PUT', `/${BUCKET}`);
  const made = await fetch(`http://127.0.0.1:${port}/${BUCKET}`, { method: 'PUT', headers });
  if (!made.ok) throw new Error(`no bucket: ${await made.text()}`);
  return target;
}

async function openVersity(): Promise<Target> {
  const tool = await goTool('github.com/versity/versitygw/cmd/versitygw@v1.8.0');
  if ('missing' in tool) throw new Error(tool.missing);
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const root = join(folder, 'root');
  mkdirSync(join(root, BUCKET), { recursive: true });
  const port = await freePort();
  const [accessKeyId, secretAccessKey] = ['bench', 'bench-secret-key'];
  const env = { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
  const child = startServer(tool.path, ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', root], { env, cwd: folder });
  await answering(child, `http://127.0.0.1:${port}/`);
  const close = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: 'versitygw', port, accessKeyId, secretAccessKey, close };
}
