/** `fumehood run FILE`: a sandbox for one program: made, used, emptied into a folder, and removed whatever happens. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { formatBytes, parseByteSize } from '#kernel/quantities.ts';
import { at } from './api-client.ts';
import { closest } from './closest.ts';
import { body, type Context } from './command.ts';
import { copyIn } from './copy.ts';
import { environmentOf, streamExec } from './exec.ts';
import { fetchFiles, type Limits, listFiles, type RemoteFile } from './fetch-files.ts';
import { numberOf } from './numbers.ts';
import { tellOrigin } from './tell-origin.ts';

const WORKSPACE = '/workspace';
const RUNNER = join(import.meta.dirname, '..', '..', 'python', 'fumehood_notebook', 'run_notebook.py');
const RUNNER_INSIDE = '/tmp/run_notebook.py';
/** What tools leave for themselves. */
const LEAVINGS = new Set(['__pycache__', '.ipynb_checkpoints', '.cache', '.ipython', '.jupyter', '.config', '.local']);
const MOST_FILES = 10_000;

type Program = { file: string; name: string; notebook: boolean };
type Made = { id: string; name: string };
type Done = { exitCode: number; sandbox: string; out: string | null; files: string[]; runs: string[] };

/** Runs a file in a sandbox of its own; resolves to its exit code, to 130 after Ctrl-C. */
export async function runFile(context: Context): Promise<number> {
  const program = programOf(context);
  const limits = limitsOf(context);
  let made: Made | undefined;
  const interrupt = watchInterrupts(context, () => {
    if (made !== undefined) context.api.send('DELETE', at('sandboxes', made.id)).catch(() => undefined);
  });
  const done: Done = { exitCode: 1, sandbox: '', out: null, files: [], runs: [] };
  try {
    made = await make(context);
    done.sandbox = made.id;
    if (interrupt.code() === undefined) done.exitCode = await execute(context, program, made, done, limits);
  } finally {
    if (made !== undefined) await remove(context, made);
    interrupt.stop();
  }
  done.exitCode = interrupt.code() ?? done.exitCode;
  if (context.out.json) context.out.item(done);
  return done.exitCode;
}

function programOf(context: Context): Program {
  const file = context.arg('FILE');
  const name = basename(file);
  if (!existsSync(file)) {
    const near = closest(file, ['list', 'get']);
    throw new AppError('invalid', `There is no file "${file}".`, {
      details: { hint: near === undefined ? 'Name a .py or .ipynb file.' : `Did you mean "fumehood run ${near}"?` },
    });
  }
  const kind = extname(name).toLowerCase();
  if (!statSync(file).isFile() || (kind !== '.py' && kind !== '.ipynb'))
    throw new AppError('invalid', `"${file}" is neither a Python file nor a notebook.`, {
      details: { hint: 'Name a .py or .ipynb file. Anything else: fumehood sandbox create, cp and exec.' },
    });
  if (kind === '.ipynb' && context.rest.length > 0)
    throw new AppError('invalid', 'A notebook takes no arguments.', {
      details: { hint: 'Hand them in with --env K=V.' },
    });
  if (kind === '.ipynb' && !isNotebook(file))
    throw new AppError('invalid', `"${file}" is named like a notebook and is none: it is no JSON with cells.`, {
      details: { hint: 'Open it in JupyterLab and save it again.' },
    });
  return { file, name, notebook: kind === '.ipynb' };
}

function isNotebook(file: string): boolean {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    // Of before version 4, cells are in worksheets.
    return typeof parsed === 'object' && parsed !== null && ('cells' in parsed || 'worksheets' in parsed);
  } catch {
    return false;
  }
}

function limitsOf(context: Context): Limits {
  const most = context.text('max-fetch');
  return { files: MOST_FILES, bytes: most === undefined ? 2 ** 30 : parseByteSize(most), depth: 32 };
}

/** Ctrl-C, and whatever else ends this program, ends the run and not the cleaning up; a second one does not wait for the program inside. */
function watchInterrupts(context: Context, again: () => void): { code(): number | undefined; stop(): void } {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  let code: number | undefined;
  process.removeListener('SIGINT', context.interrupt);
  const listeners = Object.entries(codes).map(([name, value]) => {
    const listener = (): void => {
      if (code !== undefined) again();
      code ??= value;
    };
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  return {
    code: () => code,
    stop: () => {
      for (const off of listeners) off();
    },
  };
}

async function make(context: Context): Promise<Made> {
  const { text, many } = context;
  const end = context.out.phase('Starting a sandbox');
  const request = body({
    name: `run-${randomBytes(4).toString('hex')}`,
    environment: text('environment'),
    memory: text('memory'),
    cpus: numberOf('cpus', text('cpus')),
    disk: text('disk'),
    gpus: numberOf('gpus', text('gpus')),
    ttl: text('ttl'),
    mounts: many('mount'),
    egress: many('egress'),
    grants: many('grant'),
    purpose: text('purpose'),
  });
  try {
    const made = await context.api.send<Made>('POST', at('sandboxes'), { body: request });
    end(made.name);
    return made;
  } catch (error) {
    end('failed');
    throw error;
  }
}

async function remove(context: Context, { id, name }: Made): Promise<void> {
  const end = context.out.phase(`Removing ${name}`);
  try {
    const { remains } = await context.api.send<{ remains: unknown[] }>('DELETE', at('sandboxes', id));
    end(remains.length === 0 ? 'gone' : `${remains.length} things remain`);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return end('gone');
    end('failed');
    context.out.note(`${name} ends with its time to live; sooner: fumehood sandbox delete ${id} --yes`);
    throw error;
  }
}

async function execute(context: Context, program: Program, made: Made, done: Done, limits: Limits): Promise<number> {
  const { api } = context;
  for (const file of [program.file, ...context.many('copy')])
    await copyIn(context, file, { id: made.name, path: `${WORKSPACE}/${basename(file)}` });
  if (program.notebook) await copyIn(context, RUNNER, { id: made.name, path: RUNNER_INSIDE });
  const list = (tell: boolean): Promise<RemoteFile[]> =>
    listFiles(api, made.id, WORKSPACE, {
      limits: { ...limits, files: 10 * MOST_FILES },
      leftOut: (path, kind) => (tell ? context.out.note(`left in the sandbox: ${path}, a ${kind}`) : undefined),
      skip: (name) => LEAVINGS.has(name),
    });
  const before = new Map((await list(false)).map((one) => [one.path, stamp(one)]));
  const argv = program.notebook
    ? ['python3', RUNNER_INSIDE, program.name, program.name]
    : ['python3', '-u', program.name, ...context.rest];
  const colour = context.out.terminal.colour.stderr ? { CLICOLOR_FORCE: '1' } : {};
  const start = body({ argv, env: { ...colour, ...environmentOf(context) }, cwd: WORKSPACE });
  const exitCode = await streamExec(context, at('sandboxes', made.id, 'exec'), start, {});
  const changed = (await list(true)).filter((one) => before.get(one.path) !== stamp(one));
  await bringHome(context, { id: made.id, files: changed }, program, done, limits);
  done.runs = await tellOrigin(context, made.id);
  return exitCode;
}

const stamp = (file: RemoteFile): string => `${file.sizeBytes} ${file.modifiedMs}`;

async function bringHome(
  context: Context,
  from: { id: string; files: RemoteFile[] },
  program: Program,
  done: Done,
  limits: Limits,
): Promise<void> {
  const files = within(from.files, limits);
  if (files.length < from.files.length)
    context.out.note(
      `left in the sandbox: ${from.files.length - files.length} file(s) beyond ${formatBytes(limits.bytes)} or ${limits.files} files; see --max-fetch`,
    );
  if (files.length === 0) return;
  const dir = context.text('out') ?? freshFolder(program);
  const total = files.reduce((sum, one) => sum + one.sizeBytes, 0);
  const { add, end } = context.out.progress(`Fetching ${files.length} file(s) into ${dir}`, total);
  try {
    const bytes = await fetchFiles(context.api, { id: from.id, base: WORKSPACE, files }, dir, { limits, onBytes: add });
    end(formatBytes(bytes));
  } catch (error) {
    end('failed');
    throw error;
  }
  done.out = dir;
  done.files = files.map((one) => one.path);
}

/** As many files as the limits let through, in the order of their names. */
function within(files: readonly RemoteFile[], limits: Limits): RemoteFile[] {
  let bytes = 0;
  return files.slice(0, limits.files).filter((one) => {
    if (bytes + one.sizeBytes > limits.bytes) return false;
    bytes += one.sizeBytes;
    return true;
  });
}

/** A folder beside the caller that is not there yet, so that nothing of theirs is written over. */
function freshFolder({ name }: Program): string {
  const stem = `${basename(name, extname(name))}-output`;
  for (let number = 1; ; number += 1) {
    const folder = number === 1 ? stem : `${stem}-${number}`;
    if (!existsSync(folder)) return folder;
  }
}
