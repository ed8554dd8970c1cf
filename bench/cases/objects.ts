import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goTool } from '../../test/go-tool.ts';
import { type Row, timedRounds } from '../measure.ts';
import { measureObjectMemory } from '../object-memory.ts';
import { answering, ended, execute, freePort, startServer } from '../processes.ts';
import { BUCKET, openS3Home } from '../s3-home.ts';
import type { S3Load, S3LoadResult } from '../s3-load.ts';

const MIB = 2 ** 20;
const ROUNDS = 5;

type Target = Pick<S3Load, 'port' | 'accessKeyId' | 'secretAccessKey'> & { close(): Promise<void> };
type Shape = Pick<S3Load, 'sizeBytes' | 'connections' | 'requests'>;

const LARGE: Shape = { sizeBytes: 64 * MIB, connections: 2, requests: 6 };
const SMALL: Shape = { sizeBytes: 4096, connections: 8, requests: 2000 };

/**
 * PUT and GET of large and small objects beside versitygw on the same disk, which neither encrypts nor syncs nor audits; a PUT also beside a client
 * of versitygw's that syncs each file itself. Then what a large object takes of memory.
 */
export async function measureObjects(say: (text: string) => void): Promise<Row[]> {
  const ours = await openS3Home();
  const theirs = await openVersity();
  try {
    const rows: Row[] = [];
    for (const [what, shape] of [
      ['64 MiB', LARGE],
      ['4 KiB', SMALL],
    ] as const) {
      for (const method of ['PUT', 'GET'] as const) {
        say(`${method} of ${what}`);
        rows.push(
          await compare(`S3 ${method} of ${what}, ${shape.connections} connections`, method, shape, ours, theirs),
        );
      }
    }
    say('memory of a large object');
    return [...rows, ...(await measureObjectMemory(ours))];
  } finally {
    await ours.close();
    await theirs.close();
  }
}

async function compare(
  what: string,
  method: S3Load['method'],
  shape: Shape,
  ours: Target,
  theirs: Target & { root: string },
): Promise<Row> {
  const rate = (target: Target, syncUnder?: string) => async (): Promise<number> => {
    const { perSecond } = await loadWith(target, method, shape, syncUnder);
    return perSecond * (shape === LARGE ? shape.sizeBytes / 1e6 : 1);
  };
  const others = [
    { name: 'versitygw', rate: rate(theirs) },
    ...(method === 'PUT' ? [{ name: 'versitygw, each file then synced', rate: rate(theirs, theirs.root) }] : []),
  ];
  const [value = 0, ...values] = await timedRounds(ROUNDS, [rate(ours), ...others.map((one) => one.rate)]);
  const against = others.map(({ name }, at) => ({ name, value: values[at] ?? 0, ratio: value / (values[at] ?? 0) }));
  return {
    what,
    value,
    unit: shape === LARGE ? 'MB/s' : '/s',
    against,
    reach: '>= 1.0x versitygw',
    reached: value >= (values[0] ?? 0),
  };
}

async function loadWith(
  { port, accessKeyId, secretAccessKey }: Target,
  method: S3Load['method'],
  shape: Shape,
  syncUnder: string | undefined,
): Promise<S3LoadResult> {
  const sync = syncUnder === undefined ? {} : { syncUnder };
  const load: S3Load = { port, accessKeyId, secretAccessKey, bucket: BUCKET, method, ...shape, ...sync };
  const program = join(import.meta.dirname, '../s3-load.ts');
  return JSON.parse(await execute(process.execPath, [program], JSON.stringify(load))) as S3LoadResult;
}

async function openVersity(): Promise<Target & { root: string }> {
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
  return { root, port, accessKeyId, secretAccessKey, close };
}
