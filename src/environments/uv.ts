import { execFile } from 'node:child_process';
import { constants } from 'node:os';
import { AppError, diskFault } from '#kernel/errors.ts';
import { eachLine } from './each-line.ts';

/** Runs `uv`; tells what it says on the way, and rejects with its reason, shortened. */
export type Uv = (
  args: string[],
  options?: { signal?: AbortSignal; onLine?: ((line: string) => void) | undefined },
) => Promise<string>;

const LONGEST_REASON_LINES = 12;

/** A runner for the uv at `path`, with this host's own index settings; it never builds anything and never asks. */
export function createUv(options: { path: string; cacheDir: string; indexUrl: string | undefined }): Uv {
  const env = {
    ...process.env,
    UV_CACHE_DIR: options.cacheDir,
    UV_NO_PROGRESS: '1',
    UV_NO_CONFIG: '1',
    NO_COLOR: '1',
    UV_PYTHON_DOWNLOADS: 'never',
    ...(options.indexUrl === undefined ? {} : { UV_DEFAULT_INDEX: options.indexUrl }),
  };
  return (args, { signal, onLine } = {}) =>
    new Promise((resolve, reject) => {
      const running = execFile(
        options.path,
        args,
        { env, maxBuffer: 64 * 1024 * 1024, ...(signal === undefined ? {} : { signal }) },
        (error, stdout, stderr) => {
          if (error === null) return resolve(stdout);
          if (error.code === 'ENOENT') return reject(noUv(options.path));
          const fault = diskFault(systemFault(stderr), 'for environments');
          if (fault !== undefined) return reject(fault);
          return reject(
            new AppError('invalid', `uv could not do it: ${shortReason(stderr)}`, {
              details: {
                hint: 'Correct the package names and versions, or look at the network and "fumehood config explain index.url".',
              },
              cause: error,
            }),
          );
        },
      );
      if (onLine !== undefined) running.stderr?.on('data', eachLine(onLine));
    });
}

/** The fault of the system that uv names in its own way, `(os error 28)`. */
function systemFault(stderr: string): Error | undefined {
  const number = Number(/\(os error (\d+)\)/.exec(stderr)?.[1]);
  const code = Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
  return code === undefined ? undefined : Object.assign(new Error(shortReason(stderr)), { code });
}

const noUv = (path: string): AppError =>
  new AppError('capability_missing', `uv is not installed (looked for ${path}).`, {
    details: { hint: 'Install it with "python3 -m pip install uv", or run fumehood through its wrapper, which does.' },
  });

/** Lines of uv that are no reason for anything: hints about options, and what went well. */
const SAYS_NOTHING =
  /^(hint|warning|Using Python|Resolved|Creating|Downloading|Downloaded|Building|Prepared|Installed|Bytecode compiled)/i;

/** What uv says, without its hints about options and with long solver tales cut. */
export function shortReason(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !SAYS_NOTHING.test(line));
  const kept = lines.slice(0, LONGEST_REASON_LINES).join('\n');
  return kept === '' ? 'it gave no reason' : lines.length > LONGEST_REASON_LINES ? `${kept}\n…` : kept;
}
