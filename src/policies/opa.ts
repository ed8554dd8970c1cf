/** The `opa` tool: compiles, tests and formats policies. Decisions never need it. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

/** The version that the compiled default bundle was built with; other versions may compile to other bytes. */
export const OPA_VERSION = '1.22.2';

/** How `opa` is installed when no binary is at hand. */
export const OPA_INSTALL = `go install -ldflags='-s -w' github.com/open-policy-agent/opa@v${OPA_VERSION}`;

export type OpaResult = { code: number; stdout: string; stderr: string };
export type Opa = {
  readonly path: string;
  run(args: readonly string[], options?: { input?: string; cwd?: string; timeoutMs?: number }): Promise<OpaResult>;
};

type Env = Readonly<Record<string, string | undefined>>;

/** The folder where Fumehood installs tools for its user. */
export const toolFolder = (env: Env): string =>
  join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'fumehood', 'bin');

/** Finds `opa`: FUMEHOOD_OPA, then the cache folder, then PATH. Throws `unavailable` with the command that installs it. */
export async function findOpa(env: Env = process.env): Promise<Opa> {
  const named = env.FUMEHOOD_OPA;
  const places = [toolFolder(env), ...(env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')];
  for (const path of named ? [named] : places.map((folder) => join(folder, 'opa'))) {
    if (await isExecutable(path)) return { path, run: (args, options) => runTool(path, args, options ?? {}) };
  }
  throw new AppError(
    'unavailable',
    named ? `FUMEHOOD_OPA names ${named}, which cannot be run.` : 'The tool opa is not installed.',
    {
      details: { hint: `Install it with: GOBIN='${toolFolder(env)}' ${OPA_INSTALL}` },
    },
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const LONGEST_OUTPUT_BYTES = 32 * 1024 * 1024;

function runTool(
  path: string,
  args: readonly string[],
  options: { input?: string; cwd?: string; timeoutMs?: number },
): Promise<OpaResult> {
  const { input, cwd, timeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      path,
      [...args],
      { timeout: timeoutMs, maxBuffer: LONGEST_OUTPUT_BYTES, ...(cwd === undefined ? {} : { cwd }) },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else if (error.killed) reject(new AppError('timeout', `opa ${args[0] ?? ''} took too long.`, { cause: error }));
        else reject(new AppError('unavailable', 'The tool opa could not be run.', { cause: error }));
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}
