/** Python environments with the real clients, made once by uv and kept in the cache folder. */
import { execFile, spawn } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Where what tests fetch is kept from run to run. */
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fumehood-test');

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The Python of an environment of this name that has these packages. */
export async function pythonWith(name: string, packages: string[]): Promise<string> {
  const folder = join(CACHE, name);
  const python = join(folder, 'bin', 'python');
  const done = join(folder, 'fumehood-complete');
  if (await exists(done)) return python;
  await mkdir(CACHE, { recursive: true });
  const uv = await uvCommand();
  await run(uv, ['venv', '--quiet', '--clear', folder]);
  await run(uv, ['pip', 'install', '--quiet', '--python', python, ...packages]);
  await run('touch', [done]);
  return python;
}

/** An `uv`, installed when there is none. */
export async function uvCommand(): Promise<string> {
  try {
    await run('uv', ['--version']);
    return 'uv';
  } catch {
    const folder = join(CACHE, 'uv-venv');
    const uv = join(folder, 'bin', 'uv');
    if (await exists(uv)) return uv;
    await run('python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', 'uv']);
    return uv;
  }
}

/** Runs a script of this folder, at home in the cache folder; resolves with its exit code and all that it printed. */
export function runPython(
  python: string,
  script: string,
  variables: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, [join(import.meta.dirname, script)], {
      env: { PATH: process.env.PATH, HOME: join(CACHE, 'home'), AWS_EC2_METADATA_DISABLED: 'true', ...variables },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
