/** The documentation as a site: built by Material for MkDocs (MIT), which uv fetches at a fixed version. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { findUv } from './find-uv.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const GENERATOR = 'mkdocs-material==9.8.2';

/** Builds into a folder that is empty, not there, or holds a site; a link that leads nowhere is an error. */
export async function buildSite(options: { folder: string; env: NodeJS.ProcessEnv }): Promise<void> {
  const { folder } = options;
  if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, 'llms.txt')))
    throw new AppError('conflict', `${folder} holds files that are no site of Fumehood's.`, {
      details: { hint: 'Name an empty folder, or one that is not there.' },
    });
  mkdirSync(folder, { recursive: true });
  const words = ['tool', 'run', '--quiet', '--python', '/usr/bin/python3', '--from', GENERATOR, 'mkdocs', 'build'];
  const env = { ...options.env, NO_MKDOCS_2_WARNING: '1', NO_COLOR: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const { code, said } = await run(findUv(options.env), [...words, '--strict', '--site-dir', folder], env);
  if (code === 0) return;
  throw new AppError('unavailable', `The site could not be built:\n${said.trim().slice(-2000)}`, {
    details: { hint: 'Mend the page that is named, or check the network when the generator could not be fetched.' },
  });
}

function run(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    child.once('error', (error) =>
      reject(
        new AppError('unavailable', `uv cannot be run: ${error.message}`, { details: { hint: 'Put uv on PATH.' } }),
      ),
    );
    child.once('close', (code) => resolve({ code, said }));
  });
}
