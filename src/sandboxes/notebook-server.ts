/** The notebook server of a sandbox: started in it on demand, and asked whether its kernels work. What it answers is hostile input. */
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Exec, Session } from '#src/drivers/driver.ts';

/** Where the notebook server listens, on the sandbox's own loopback. */
export const NOTEBOOK_PORT = 8888;

/** Mounted with the agent, read-only: settings, and the extension of the page. */
const CONFIG = '/fumehood/agent/notebook/jupyter_server_config.py';
const LOG = '/tmp/fumehood-notebook.log';
const START_TIMEOUT_MS = 120_000;
const LOOK_EVERY_MS = 150;
const ANSWER_TIMEOUT_MS = 5000;
const MOST_ANSWER_BYTES = 256 * 1024;

/** Starts the server unless it answers already; resolves to whether it was started. Throws `capability_missing` where there is no JupyterLab. */
export async function ensureNotebook(session: Session): Promise<boolean> {
  if (await answers(session)) return false;
  const exec = await session.exec({
    argv: ['/bin/sh', '-c', `exec python3 -m jupyterlab --config=${CONFIG} >${LOG} 2>&1 </dev/null`],
  });
  exec.stdin.end();
  exec.stdout.resume();
  exec.stderr.resume();
  await untilItAnswers(session, exec);
  return true;
}

async function untilItAnswers(session: Session, exec: Exec): Promise<void> {
  let ended = false;
  void exec.result.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  const latest = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < latest) {
    if (await answers(session)) return;
    if (ended) throw notStarted(await tailOfLog(session));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  exec.signal('KILL');
  throw notStarted(`it did not answer within ${START_TIMEOUT_MS / 1000} s`);
}

function notStarted(why: string): AppError {
  if (/No module named '?jupyterlab/.test(why))
    return new AppError('capability_missing', 'There is no JupyterLab in this sandbox.', {
      details: {
        missing: 'jupyterlab',
        hint: 'Make an environment that has it with "fumehood environment create notebook", then "fumehood open --environment notebook".',
      },
    });
  return new AppError('unavailable', `JupyterLab did not start in the sandbox: ${why}`, {
    details: { hint: `Its log is ${LOG} in the sandbox; does it have memory enough (--memory 1g)?` },
  });
}

/** The end of the server's log, with nothing that could act on a terminal. */
async function tailOfLog(session: Session): Promise<string> {
  try {
    const exec = await session.exec({ argv: ['/usr/bin/tail', '-c', '600', LOG], maxOutputBytes: 4096 });
    exec.stdin.end();
    exec.stderr.resume();
    let text = '';
    for await (const chunk of exec.stdout) text += String(chunk);
    return text.replace(/[^\x20-\x7e\n]/g, '?').trim() || 'it gave no reason';
  } catch {
    return 'it gave no reason';
  }
}

const answers = (session: Session): Promise<boolean> =>
  ask(session, '/api/status').then(
    () => true,
    () => false,
  );

const Kernels = z
  .array(z.object({ execution_state: z.string().max(32).optional(), last_activity: z.string().max(40).optional() }))
  .max(1000);

/** When a kernel last worked, by the server's own account: now while one is busy; undefined when there is no server or no kernel. */
export async function lastKernelWork(session: Session, nowMs: number): Promise<number | undefined> {
  const answer = await ask(session, '/api/kernels').catch(() => undefined);
  const kernels = Kernels.safeParse(answer);
  if (!kernels.success || kernels.data.length === 0) return undefined;
  if (kernels.data.some((kernel) => kernel.execution_state === 'busy')) return nowMs;
  const times = kernels.data.map((kernel) => Date.parse(kernel.last_activity ?? '')).filter(Number.isFinite);
  return times.length === 0 ? undefined : Math.min(nowMs, Math.max(...times));
}

/** A GET of JSON, bounded in time and size. */
async function ask(session: Session, path: string): Promise<unknown> {
  const stream = await session.connectPort(NOTEBOOK_PORT);
  const timer = setTimeout(() => stream.destroy(new Error('no answer in time')), ANSWER_TIMEOUT_MS);
  try {
    return await getJson(stream, path);
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

function getJson(stream: Duplex, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the connection ended')));
    const asked = request({
      createConnection: () => stream,
      path,
      headers: { host: `localhost:${NOTEBOOK_PORT}`, connection: 'close' },
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.once('error', reject);
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MOST_ANSWER_BYTES) stream.destroy(new Error('too long an answer'));
      });
      response.once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('no JSON'));
        }
      });
    });
    asked.end();
  });
}
