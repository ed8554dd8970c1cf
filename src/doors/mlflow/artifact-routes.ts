/** Artifacts: what a run or model logs *is* the object `s3://mlflow/<experiment>/<run>/artifacts/<path>`. */
import { AppError } from '#kernel/errors.ts';
import { readRun } from '#src/tracking/read-run.ts';
import { runId, text } from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';

const BUCKET = 'mlflow';
const PREFIX = '/api/2.0/mlflow-artifacts/artifacts';
const MOST_FILES = 20_000;

const badPath = (): AppError =>
  new AppError('invalid', 'Invalid path', { details: { field: 'path', hint: 'Use a relative path without "..".' } });

/** A path as it was sent, decoded; refuses what could mean another one. */
export function decodePath(encoded: string): string {
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    throw badPath();
  }
  return checkPath(path);
}

function checkPath(path: string): string {
  const trimmed = path.replace(/\/$/, '');
  const parts = trimmed.split('/');
  if (trimmed === '' || parts.some((part) => part === '' || part === '.' || part === '..')) throw badPath();
  if (/[\\\0]/.test(trimmed)) throw badPath();
  return trimmed;
}

/** The bucket and the prefix that an artifact location stands for. */
function placeOf(uri: string): { bucket: string; prefix: string } {
  const proxied = /^mlflow-artifacts:\/*(.+)$/.exec(uri)?.[1];
  if (proxied !== undefined) return { bucket: BUCKET, prefix: proxied.replace(/\/$/, '') };
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? [];
  if (bucket === '') throw new AppError('invalid', `Artifacts at ${uri.slice(0, 200)} cannot be listed here.`);
  return { bucket, prefix: prefix.replace(/\/$/, '') };
}

type FileInfo = { path: string; is_dir: boolean; file_size?: number };

async function listFolder(call: Call, bucket: string, folder: string): Promise<FileInfo[]> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const files: FileInfo[] = [];
  let startAfter: string | null = '';
  do {
    const page = await call.services.objects.list({
      ...call.caller,
      bucket,
      prefix,
      delimiter: '/',
      startAfter,
    });
    for (const { key, sizeBytes } of page.objects)
      files.push({ path: key.slice(prefix.length), is_dir: false, file_size: sizeBytes });
    for (const one of page.prefixes) files.push({ path: one.slice(prefix.length, -1), is_dir: true });
    startAfter = page.next;
  } while (startAfter !== null && files.length < MOST_FILES);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The files and folders right below a path of an artifact location; their paths begin there. */
export async function filesBelow(call: Call, rootUri: string, path: string): Promise<FileInfo[]> {
  const { bucket, prefix } = placeOf(rootUri);
  const below = path === '' ? '' : checkPath(path);
  const files = await listFolder(call, bucket, [prefix, below].filter((part) => part !== '').join('/'));
  return files.map((file) => ({ ...file, path: below === '' ? file.path : `${below}/${file.path}` }));
}

async function download({ services, caller, params, response }: Call): Promise<void> {
  const key = decodePath(params.path ?? '');
  const object = await services.objects.open({ ...caller, bucket: BUCKET, key });
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': object.sizeBytes,
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    etag: `"${object.etag}"`,
  });
  if (object.bytes !== undefined) return void response.end(object.bytes);
  try {
    for await (const chunk of object.body as AsyncIterable<Buffer>) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await new Promise<void>((resolve) => drained(response, resolve));
    }
    response.end();
  } finally {
    object.body.destroy();
  }
}

function drained(response: Call['response'], resolve: () => void): void {
  const done = (): void => {
    response.off('drain', done);
    response.off('close', done);
    resolve();
  };
  response.on('drain', done);
  response.on('close', done);
}

async function upload({ services, caller, params, request }: Call): Promise<Record<string, unknown>> {
  const key = decodePath(params.path ?? '');
  const length = request.headers['content-length'];
  const type = request.headers['content-type'];
  await services.objects.put({
    ...caller,
    bucket: BUCKET,
    key,
    body: request as AsyncIterable<Uint8Array>,
    ...(length === undefined ? {} : { contentLength: Number(length) }),
    ...(type === undefined ? {} : { contentType: type }),
  });
  return {};
}

async function remove(call: Call): Promise<Record<string, unknown>> {
  const { services, caller } = call;
  const key = decodePath(call.params.path ?? '');
  await services.objects.remove({ ...caller, bucket: BUCKET, key });
  for (const file of await listFolder(call, BUCKET, key)) {
    const path = encodeURIComponent(`${key}/${file.path}`);
    await remove({ ...call, params: { path } });
  }
  return {};
}

export const ARTIFACT_ROUTES: readonly MlflowRoute[] = [
  ...api('GET', 'artifacts/list', 'object.list', async (call) => {
    const { run } = await readRun(call.services.tracking, call.caller, runId(call.input));
    return { root_uri: run.artifactUri, files: await filesBelow(call, run.artifactUri, text(call.input, 'path')) };
  }),
  {
    method: 'GET',
    path: PREFIX,
    action: 'object.list',
    serve: async (call) => {
      const path = text(call.input, 'path');
      return { files: await listFolder(call, BUCKET, path === '' ? '' : checkPath(path)) };
    },
  },
  { method: 'GET', path: `${PREFIX}/*path`, action: 'object.read', stream: download },
  { method: 'PUT', path: `${PREFIX}/*path`, action: 'object.write', serve: upload },
  { method: 'DELETE', path: `${PREFIX}/*path`, action: 'object.delete', serve: remove },
];
