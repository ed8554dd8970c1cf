import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { PassThrough } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { AppError } from '#kernel/errors.ts';
import type { ExecResult } from '#src/drivers/driver.ts';
import { type ExecChannel, openChannel } from '#src/http/exec-stream.ts';
import { type Api, at } from './api-client.ts';
import { body, type Context } from './command.ts';
import { durationOf } from './numbers.ts';
import { rawTerminal, terminalSize } from './raw-terminal.ts';
import { linkRuns } from './run-links.ts';

const OWN_FAULT = 125;
const CANNOT_RUN = 126;
const NOT_THERE = 127;
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** `sandbox exec`: resolves to the child's exit code, or 125 to 127 for a fault of Fumehood's own. */
export async function execCommand(context: Context): Promise<number> {
  const terminal = context.on('terminal') ? terminalSize() : undefined;
  if (terminal !== undefined && context.stdin.isTTY !== true)
    throw new AppError('invalid', '-t needs a terminal on stdin.', { details: { hint: 'Leave -t out.' } });
  const env = { ...(terminal === undefined ? {} : ofTerminal(context.env)), ...environmentOf(context) };
  const start = body({ argv: context.rest, ...common(context), env, terminal });
  return streamExec(context, at('sandboxes', context.arg('ID'), 'exec'), start, { raw: terminal !== undefined });
}

/** Bash where there is one, else the shell that every system has. */
const SHELL = ['sh', '-c', 'if command -v bash >/dev/null; then exec bash; else exec sh; fi'];

/** `sandbox shell`: an interactive shell; resolves to its exit code. */
export async function shell(context: Context): Promise<number> {
  if (context.stdin.isTTY !== true)
    throw new AppError('invalid', 'A shell needs a terminal on stdin.', {
      details: { hint: `For a script: fumehood sandbox exec ${context.arg('ID')} -- sh < SCRIPT` },
    });
  const env = { ...ofTerminal(context.env), ...environmentOf(context) };
  const start = body({ argv: SHELL, ...common(context), env, terminal: terminalSize() });
  return streamExec(context, at('sandboxes', context.arg('ID'), 'exec'), start, { raw: true });
}

/** `sandbox run-python`: the same for source text in the warm interpreter. */
export async function runPython(context: Context): Promise<number> {
  const file = context.arg('FILE');
  const source = file === '-' ? await readText(context.stdin) : readSource(file);
  const name = file === '-' ? 'stdin' : basename(file);
  const start = body({ source, name, ...common(context), env: environmentOf(context) });
  return streamExec(context, at('sandboxes', context.arg('ID'), 'python'), start, { stdinTaken: file === '-' });
}

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `"${file}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** What full-screen programs ask about the terminal that they draw on. */
const ofTerminal = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    ['TERM', 'COLORTERM', 'LANG', 'LC_ALL', 'NO_COLOR'].flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** The variables of `--env K=V`. */
export function environmentOf(context: Context): Record<string, string> {
  const pairs = context.many('env').map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new AppError('invalid', `--env: "${pair}" is not K=V.`);
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

const common = (context: Context): Record<string, unknown> => ({
  cwd: context.text('cwd'),
  timeoutMs: durationOf(context.text('timeout')),
});

/** Runs what `start` asks for on a stream of its own, joined to this program's; `raw` hands the whole terminal over. */
export async function streamExec(
  context: Context,
  path: string,
  start: unknown,
  { raw = false, stdinTaken = false }: { raw?: boolean; stdinTaken?: boolean },
): Promise<number> {
  let channel: ExecChannel | undefined;
  const undo: (() => void)[] = [];
  const restore = (): void => {
    for (const back of undo.splice(0)) back();
  };
  try {
    const { socket, opened } = await connect(context.api, path);
    channel = opened;
    // From here on an interrupt is the child's.
    forwardSignals(channel);
    process.removeListener('SIGINT', context.interrupt);
    if (raw) undo.push(rawTerminal(context.stdin, channel));
    const result = await talk(context, channel, start, stdinTaken);
    socket.close();
    restore();
    if (result.timedOut) context.out.note('fumehood: the command was ended: its time was over');
    if (result.truncated) context.out.note('fumehood: the command was ended: it wrote more than the limit');
    return result.exitCode;
  } catch (thrown) {
    restore();
    context.out.error(thrown);
    channel?.close();
    return faultCode(thrown);
  } finally {
    context.stdin.destroy();
  }
}

function faultCode(thrown: unknown): number {
  if (!(thrown instanceof AppError) || thrown.details.fault === undefined) return OWN_FAULT;
  return thrown.details.fault === 'not-found' ? NOT_THERE : CANNOT_RUN;
}

async function connect(api: Api, path: string): Promise<{ socket: WebSocket; opened: ExecChannel }> {
  const { url, token } = api.connection();
  const headers = { ...api.trace, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const socket = new WebSocket(url.replace(/^http/, 'ws') + path, { headers, perMessageDeflate: false });
  const opened = openChannel(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, answer) => {
      readText(answer).then((text) => reject(refusalOf(text, answer.statusCode)), reject);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new AppError('unavailable', `${url} cannot be reached (${error.code ?? error.message}).`, {
          details: { hint: 'Is it running? See "fumehood status".' },
        }),
      ),
    );
  });
  return { socket, opened };
}

function refusalOf(text: string, status: number | undefined): AppError {
  try {
    const problem = JSON.parse(text) as { code: AppError['code']; detail: string; hint: string; requestId: string };
    return new AppError(problem.code, problem.detail, {
      details: { hint: problem.hint, requestId: problem.requestId },
    });
  } catch {
    return new AppError('unavailable', `The server answered ${status} instead of a stream.`);
  }
}

/** Sends the start, joins the streams, and waits for the result and for all output to be written. */
async function talk(context: Context, channel: ExecChannel, start: unknown, stdinTaken: boolean): Promise<ExecResult> {
  const runPages = async (): Promise<string | null> =>
    (await context.api.send<{ runPages: string | null }>('GET', at('status'))).runPages;
  const into = (target: NodeJS.WriteStream) => {
    // A person reads a terminal; what goes elsewhere is what the program wrote.
    const pipe = target.isTTY === true ? linkRuns(runPages) : new PassThrough();
    const done = new Promise<void>((resolve) => pipe.once('end', resolve));
    pipe.pipe(target, { end: false });
    return { pipe, done };
  };
  const stdout = into(process.stdout);
  const stderr = into(process.stderr);
  const ended = new Promise<ExecResult>((resolve, reject) => {
    channel.onControl((message) => {
      if (message.type === 'exit') resolve(message.result);
      if (message.type === 'started' && stdinTaken) channel.control({ type: 'eof', stream: 'stdin' });
      if (message.type === 'started' && !stdinTaken) channel.send('stdin', context.stdin).catch(() => undefined);
      if (message.type !== 'error') return;
      const { code, message: what, ...details } = message.error;
      reject(new AppError(code, what, { details }));
    });
    void channel.closed.then(() => reject(new AppError('unavailable', 'The connection to the sandbox was lost.')));
  });
  channel.receive('stdout', stdout.pipe);
  channel.receive('stderr', stderr.pipe);
  channel.control({ type: 'start', start });
  const result = await ended;
  await Promise.race([Promise.all([stdout.done, stderr.done]), channel.closed]);
  return result;
}

/** Until this program ends: a signal that comes when the command has just ended does not change its exit code. */
function forwardSignals(channel: ExecChannel): void {
  const forward = (name: NodeJS.Signals): void => channel.control({ type: 'signal', name });
  for (const name of FORWARDED) process.on(name, forward);
}
