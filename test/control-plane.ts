/** A control plane of its own for a test: real processes in a home of its own, driven by the command line as a user drives it. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../src/cli/main.ts');

export type Finished = { code: number | null; stdout: string; stderr: string };
export type CliOptions = { token?: string; input?: string; env?: Record<string, string> };

export type TestControlPlane = {
  home: string;
  url: string;
  /** Addresses of the doors for people outside sandboxes, by door. */
  doors: Record<string, string>;
  /** Runs a command; as the operator of the home unless a token is given. */
  run(args: string[], options?: CliOptions): Promise<Finished>;
  /** Runs a command with `--json` and gives its answer; throws when it fails. */
  json<T>(args: string[], options?: CliOptions): Promise<T>;
  /** Makes a user and gives their token. */
  user(name: string, role: 'engineer' | 'operator' | 'officer'): Promise<string>;
  pid(): Promise<number>;
  /** Ends everything that runs in the home and removes it. Throws when something is left. */
  close(): Promise<void>;
};

/** A home in which nothing runs yet, and the command line on it. */
export type TestHome = Pick<TestControlPlane, 'home' | 'run' | 'json'>;

/** Makes a home on free ports; `variables` are settings (`FUMEHOOD_…`), `within` are words before each command, such as `nsenter …`. */
export async function makeHome(variables: Record<string, string> = {}, within: string[] = []): Promise<TestHome> {
  const home = await mkdtemp(join(tmpdir(), 'fumehood-test-home-'));
  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...inherited } = process.env;
  const env = { ...inherited, FUMEHOOD_HOME: home, FUMEHOOD_LISTEN: '127.0.0.1:0', ...variables };
  const run: TestControlPlane['run'] = (args, options = {}) =>
    execute([...within, process.execPath, MAIN, ...args], {
      env: {
        ...env,
        ...options.env,
        ...(options.token === undefined ? {} : { FUMEHOOD_TOKEN: options.token }),
      },
      input: options.input ?? '',
    });
  const json = async <T>(args: string[], options: CliOptions = {}): Promise<T> => {
    const done = await run([...args, '--json'], options);
    if (done.code !== 0) throw new Error(`"fumehood ${args.join(' ')}" ended with ${done.code}:\n${done.stderr}`);
    return JSON.parse(done.stdout) as T;
  };
  return { home, run, json };
}

/** Starts one on free ports; `variables` are settings (`FUMEHOOD_…`). */
export const startControlPlane = async (variables: Record<string, string> = {}): Promise<TestControlPlane> =>
  startIn(await makeHome(variables));

/** Starts one in a home that was made for it. */
export async function startIn({ home, run, json }: TestHome): Promise<TestControlPlane> {
  await json(['up', '--detach']);
  const status = await json<{ url: string; doors: Record<string, string> }>(['status']);
  return {
    home,
    url: status.url,
    doors: status.doors,
    run,
    json,
    user: async (name, role) => (await json<{ token: string }>(['user', 'create', name, '--role', role])).token,
    pid: async () => (await json<{ pid: number }>(['status'])).pid,
    close: async () => {
      if (process.env.FUMEHOOD_TEST_KEEP !== undefined) return;
      const done = await run(['down', '--yes']);
      await rm(home, { recursive: true, force: true });
      if (done.code !== 0) throw new Error(`"fumehood down" ended with ${done.code}:\n${done.stdout}${done.stderr}`);
    },
  };
}

function execute(
  [program = '', ...args]: string[],
  options: { env: NodeJS.ProcessEnv; input: string },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
