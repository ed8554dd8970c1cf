/** The agent's code with its byte code: compiled once, or every sandbox would compile it at its start. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Helper } from './helper-client.ts';

/**
 * Gives the host folder to mount in a sandbox. It is named by the digest of the code and of the Python that compiles it, and stays after an
 * upgrade: sandboxes that still run load from it.
 */
export function createAgentCode(deps: {
  pythonDir: string;
  python: string;
  folder: string;
  helper: Helper;
}): () => Promise<string> {
  const source = join(deps.pythonDir, 'fumehood_agent');
  let compiled: Promise<string> | undefined;
  const compile = async (): Promise<string> => {
    const target = join(deps.folder, digestOf(source, deps.python));
    mkdirSync(deps.folder, { recursive: true, mode: 0o700 });
    await deps.helper.ask('compile', { source, target });
    return target;
  };
  return () => {
    compiled ??= compile().catch((error) => {
      compiled = undefined;
      throw error;
    });
    return compiled;
  };
}

function digestOf(source: string, python: string): string {
  const hash = createHash('sha256');
  const { size, mtimeMs } = statSync(realpathSync(python));
  hash.update(`${realpathSync(python)} ${size} ${mtimeMs}\n`);
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' }).sort()) {
    if (name.includes('__pycache__') || !statSync(join(source, name)).isFile()) continue;
    hash.update(`${name}\n`).update(readFileSync(join(source, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
