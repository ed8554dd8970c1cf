import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, ERROR_CODES, type ErrorCode } from '#kernel/errors.ts';
import { createApi } from './api-client.ts';
import { type Control, inHome, readControl } from './home.ts';

const START_TIMEOUT_MS = 120_000;

/** Starts `fumehood up` in a session of its own, its output in `control.log`, and waits until it answers. */
export async function detach(options: { home: string; env: NodeJS.ProcessEnv; words: string[] }): Promise<Control> {
  const logFile = join(options.home, 'control.log');
  const log = inHome(options.home, () => {
    mkdirSync(options.home, { recursive: true, mode: 0o700 });
    return openSync(logFile, 'a', 0o600);
  });
  const from = statSync(logFile).size;
  const entry = join(import.meta.dirname, 'main.ts');
  const child = spawn(
    process.execPath,
    [...process.execArgv, entry, 'up', '--json', '--home', options.home, ...options.words],
    {
      detached: true,
      stdio: ['ignore', log, log],
      env: options.env,
    },
  );
  closeSync(log);
  let exited = false;
  child.once('exit', () => {
    exited = true;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const control = readControl(options.home);
    if (control !== undefined && control.pid === child.pid && (await isHealthy(control))) {
      child.unref();
      return control;
    }
    if (exited) throw failureIn(writtenSince(logFile, from), logFile);
    await sleep(25);
  }
  child.kill();
  throw new AppError('timeout', 'The control plane did not become healthy in time.', {
    details: { hint: `Its log is ${logFile}.` },
  });
}

async function isHealthy({ url }: Control): Promise<boolean> {
  try {
    await createApi(() => ({ url, token: undefined })).send('GET', '/healthz');
    return true;
  } catch {
    return false;
  }
}

/** A file that is smaller by now began anew. */
function writtenSince(file: string, from: number): string {
  const bytes = readFileSync(file);
  return bytes.subarray(bytes.length < from ? 0 : from).toString('utf8');
}

/** The error that the child printed as its last words, or the end of its log. */
function failureIn(text: string, logFile: string): AppError {
  const line = text
    .trimEnd()
    .split('\n')
    .findLast((one) => one.startsWith('{"error"'));
  try {
    const { error } = JSON.parse(line ?? '') as { error: { code: ErrorCode; message: string; hint: string } };
    if (Object.hasOwn(ERROR_CODES, error.code))
      return new AppError(error.code, error.message, { details: { hint: error.hint } });
  } catch {
    // The log's end says it.
  }
  const end = text.trimEnd().split('\n').slice(-8).join('\n');
  if (end === '')
    return new AppError(
      'unavailable',
      `The control plane ended while it started, and could write no reason to ${logFile}.`,
      {
        details: { hint: 'Look whether there is space left there; "fumehood up" in the foreground shows the reason.' },
      },
    );
  return new AppError('unavailable', `The control plane ended while it started:\n${end}`, {
    details: { hint: `Its whole log is ${logFile}.` },
  });
}
