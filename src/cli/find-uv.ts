import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toolFolder } from '#src/policies/opa.ts';

/** Where uv is: named, beside the other tools of the wrapper, or on PATH. */
export function findUv(env: Readonly<Record<string, string | undefined>>): string {
  const own = join(toolFolder(env), 'uv');
  return env.FUMEHOOD_UV ?? (existsSync(own) ? own : 'uv');
}
