/** `mlflow server`, as people would run it instead: its default, gunicorn with four workers, or over PostgreSQL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type PrivatePostgres, startPostgres } from '#src/cli/private-postgres.ts';
import { pythonWith } from '../test/protocol/python-clients.ts';
import { answering, ended, freePort, startServer } from './processes.ts';

export type MlflowMode = 'default' | 'gunicorn' | 'PostgreSQL';
export type MlflowServer = { name: string; port: number; close(): Promise<void> };

/** Starts the newest `mlflow` that installs; ready when it says that it is healthy. */
export async function openMlflow(mode: MlflowMode): Promise<MlflowServer> {
  const python = await pythonWith('mlflow-server-postgres', ['mlflow', 'psycopg[binary]']);
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const postgres = mode === 'PostgreSQL' ? await startPostgres({ folder, say: () => undefined }) : undefined;
  const port = await freePort();
  // SQLAlchemy knows the scheme by its long name alone.
  const store = postgres?.url.replace('postgres:', 'postgresql:') ?? `sqlite:///${folder}/mlflow.db`;
  const words = `server --host 127.0.0.1 --port ${port} --backend-store-uri`.split(' ');
  const artifacts = ['--artifacts-destination', join(folder, 'artifacts')];
  const workers = mode === 'gunicorn' ? ['--gunicorn-opts', '--workers 4'] : [];
  const PATH = `${dirname(python)}:${process.env.PATH ?? ''}`;
  const env = { ...process.env, PATH, MLFLOW_DISABLE_TELEMETRY: 'true', HOME: folder };
  const child = startServer(python, ['-m', 'mlflow', ...words, store, ...artifacts, ...workers], { env, cwd: folder });
  const close = async (): Promise<void> => {
    await ended(child);
    await stopAndRemove(postgres, folder);
  };
  try {
    await answering(child, `http://127.0.0.1:${port}/health`);
  } catch (error) {
    await close();
    throw error;
  }
  return { name: `mlflow server (${mode})`, port, close };
}

async function stopAndRemove(postgres: PrivatePostgres | undefined, folder: string): Promise<void> {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}
