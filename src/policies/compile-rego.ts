import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '#kernel/errors.ts';
import type { Opa } from './opa.ts';

const unpack = promisify(execFile);

/** Runs `body` with a scratch folder of its own. */
export async function withScratch<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fumehood-policy-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Compiles a file or folder of Rego to a WASM module with these entry points; `path` is relative to `cwd`, because the module holds it. Throws `invalid` with the compiler's words. */
export async function compileRego(
  opa: Opa,
  options: { cwd: string; path: string; bundle: boolean; entrypoints: readonly string[] },
): Promise<Uint8Array> {
  return withScratch(async (folder) => {
    const out = join(folder, 'bundle.tar.gz');
    const args = ['build', '-t', 'wasm', ...options.entrypoints.flatMap((one) => ['-e', one]), '-o', out];
    const sources = options.bundle ? ['--ignore', '*_test.rego', '-b', options.path] : [options.path];
    const done = await opa.run([...args, ...sources], { cwd: options.cwd });
    if (done.code !== 0) throw new AppError('invalid', `The policy does not compile: ${firstLine(done.stderr)}`);
    await unpack('tar', ['-xzf', out, '-C', folder, '/policy.wasm'], { timeout: 10_000 });
    return readFile(join(folder, 'policy.wasm'));
  });
}

const firstLine = (text: string): string => text.trim().split('\n').slice(0, 3).join(' ');
