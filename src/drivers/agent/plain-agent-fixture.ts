/** An agent for tests, as a plain process of this host, without a sandbox around it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exec, Session } from '../driver.ts';
import { createSession, greetAgent } from './session.ts';
import { dialPath } from './wire.ts';

const AGENT = join(import.meta.dirname, '../../../python/fumehood_agent');

export type PlainAgent = { session: Session; pid: number | undefined; stop(): void };

/** Starts one that listens in `folder`, which is its home as well. */
export async function startAgent(folder: string): Promise<PlainAgent> {
  const path = join(folder, 'agent.sock');
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    FUMEHOOD_AGENT: JSON.stringify({ python: '/usr/bin/python3', warmImports: ['json'] }),
  };
  const agent = spawn('/usr/bin/python3', ['-I', '-S', '-B', AGENT, '--listen', path], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (let tries = 0; ; tries += 1) {
    try {
      await greetAgent(dialPath(path));
      return { session: createSession(dialPath(path)), pid: agent.pid, stop: () => void agent.kill('SIGKILL') };
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(50);
    }
  }
}

/** All that a command writes, and its exit code. */
export async function output(exec: Exec): Promise<{ out: string; err: string; code: number }> {
  const [out, err, result] = await Promise.all([text(exec.stdout), text(exec.stderr), exec.result]);
  return { out, err, code: result.exitCode };
}
