/** The demo acts as a user does: every step is a `fumehood` command, shown as it is run. */
import { spawn } from 'node:child_process';

export type Refusal = { exitCode: number; code: string; message: string; hint: string; decisionId: string | undefined };

export type Commands = {
  /** Runs a command with `--json` and gives its answer; throws when it fails. */
  json<T>(args: string[], options?: { as?: string; input?: string }): Promise<T>;
  /** Runs a command and shows what it prints. */
  show(args: string[], options?: { as?: string; env?: Record<string, string> }): Promise<string>;
  /** Runs a command that must be refused; throws when it is not. */
  refused(args: string[], expected: { exitCode: number }, options?: { as?: string }): Promise<Refusal>;
};

type Finished = { exitCode: number; stdout: string; stderr: string };

/** `as` names a user whose token is in `tokens`; without it the home's operator acts. */
export function createCommands(deps: {
  entry: string[];
  env: NodeJS.ProcessEnv;
  tokens: Map<string, string>;
  write: (text: string) => void;
}): Commands {
  const run = (
    args: string[],
    options: { as?: string; input?: string; live?: boolean; env?: Record<string, string> },
  ): Promise<Finished> => {
    const token = options.as === undefined ? undefined : deps.tokens.get(options.as);
    deps.write(
      `    $ fumehood ${args.map(quote).join(' ')}${options.as === undefined ? '' : `    # as ${options.as}`}\n`,
    );
    const env = { ...deps.env, ...options.env, ...(token === undefined ? {} : { FUMEHOOD_TOKEN: token }) };
    return execute(deps.entry, args, {
      env,
      input: options.input ?? '',
      live: options.live === true ? deps.write : undefined,
    });
  };
  return {
    json: async <T>(args: string[], options = {}) => {
      const { stdout } = assertDone(args, await run([...args, '--json'], options));
      return JSON.parse(stdout) as T;
    },
    show: async (args, options = {}) => assertDone(args, await run(args, { ...options, live: true })).stdout,
    refused: async (args, expected, options = {}) => {
      const done = await run([...args, '--json'], options);
      if (done.exitCode !== expected.exitCode) {
        throw new Error(
          `"fumehood ${args.join(' ')}" ended with ${done.exitCode} where ${expected.exitCode} was due:\n${done.stderr}`,
        );
      }
      return refusalOf(done);
    },
  };
}

const quote = (word: string): string =>
  /^[A-Za-z0-9_./:@=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

function assertDone(args: string[], done: Finished): Finished {
  if (done.exitCode !== 0)
    throw new Error(`"fumehood ${args.join(' ')}" ended with ${done.exitCode}:\n${done.stderr || done.stdout}`);
  return done;
}

function refusalOf(done: Finished): Refusal {
  const line = done.stderr.split('\n').find((one) => one.startsWith('{"error"'));
  if (line === undefined) throw new Error(`no error object on stderr:\n${done.stderr}`);
  const { error } = JSON.parse(line) as { error: { code: string; message: string; hint: string; decisionId?: string } };
  return {
    exitCode: done.exitCode,
    code: error.code,
    message: error.message,
    hint: error.hint,
    decisionId: error.decisionId,
  };
}

function execute(
  entry: string[],
  args: string[],
  options: { env: NodeJS.ProcessEnv; input: string; live: ((text: string) => void) | undefined },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const [program = '', ...rest] = entry;
    const child = spawn(program, [...rest, ...args], { env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: string[] = [];
    const err: string[] = [];
    const show = indenting(options.live);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out.push(text);
      show(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err.push(text);
      show(text);
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ exitCode: code ?? (signal === null ? 1 : 130), stdout: out.join(''), stderr: err.join('') }),
    );
  });
}

/** Writes lines indented under the command that prints them. */
function indenting(write: ((text: string) => void) | undefined): (text: string) => void {
  if (write === undefined) return () => undefined;
  let fresh = true;
  return (text) => {
    const lines = text.split('\n');
    lines.forEach((line, index) => {
      const last = index === lines.length - 1;
      if (line !== '') write(`${fresh ? '      ' : ''}${line}`);
      if (!last) write('\n');
      fresh = last ? line === '' && (fresh || lines.length > 1) : true;
    });
  };
}
