/** `doctor --bundle`: what somebody needs who is to help, and nothing that grants anything. */
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type, uptime } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AppError } from '#kernel/errors.ts';
import { padding, TAR_END, tarHead } from '#src/backups/tar.ts';
import { loadConfig } from '#src/config/load-config.ts';
import { KEYS, type Key } from '#src/config/schema.ts';
import type { Check } from '#src/drivers/driver.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';
import { readText } from './home.ts';
import { knownSecrets, lastLines, redact } from './redact.ts';
import { VERSION } from './version.ts';

const LOG_LINES = 500;

/** Writes the archive (tar.gz, 0600); gives the names of what is in it. */
export async function writeBundle(context: Context, file: string, checks: readonly Check[]): Promise<string[]> {
  const { home, env } = context;
  const secrets = knownSecrets(home, env);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const files: Record<string, string> = {
    'about.json': json(about()),
    'checks.json': json(checks),
    'config.json': json(configOf(context)),
    'status.json': json(await statusOf(context)),
    'control.log': `${lastLines(join(home, 'control.log'), LOG_LINES)}\n`,
  };
  const parts = Object.entries(files).flatMap(([name, text]) => {
    const bytes = Buffer.from(redact(text, secrets));
    return [tarHead(`fumehood-bundle/${name}`, bytes.length, Date.now()), bytes, padding(bytes.length)];
  });
  try {
    writeFileSync(file, gzipSync(Buffer.concat([...parts, TAR_END])), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError(code === 'EEXIST' ? 'conflict' : 'invalid', `"${file}" cannot be written (${code}).`, {
      details: { hint: 'Name a file that is not there yet, in a folder that is.' },
    });
  }
  return Object.keys(files);
}

const about = () => ({
  fumehood: VERSION,
  node: process.version,
  system: `${type()} ${release()} ${process.arch}`,
  distribution: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText('/etc/os-release') ?? '')?.[1] ?? 'unknown',
  cores: cpus().length,
  memoryBytes: totalmem(),
  uptimeSeconds: Math.round(uptime()),
  root: process.getuid?.() === 0,
});

/** Values and where they come from; those of secret keys only that they are set. */
function configOf({ home, env }: Context): unknown {
  const { candidates } = loadConfig({ home, env, cwd: process.cwd() });
  return Object.fromEntries(
    [...candidates].map(([name, [winner]]) => {
      const declared: Key = KEYS[name];
      const value = declared.secret && winner?.value !== undefined ? '(set)' : (winner?.value ?? null);
      return [name, { value, from: winner?.origin.where ?? 'default' }];
    }),
  );
}

async function statusOf({ api }: Context): Promise<unknown> {
  try {
    return await api.send('GET', at('status'));
  } catch (error) {
    return { unreachable: error instanceof Error ? error.message : String(error) };
  }
}
