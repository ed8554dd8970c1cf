/** Programs that benchmarks run beside ours, and places for them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** Runs a program to its end and gives what it printed; throws when it fails. */
export function execute(command: string, args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(stdout) : reject(new Error(`${command} ended with ${code}: ${stderr}`)),
    );
  });
}

/** Starts a server as the leader of a process group of its own, so that `ended` ends its workers too. */
export function startServer(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; cwd: string },
): ChildProcess {
  return spawn(command, args, { ...options, detached: true, stdio: 'ignore' });
}

/** Waits until a server answers this; throws when it ends before, or after two minutes. */
export async function answering(child: ChildProcess, url: string): Promise<void> {
  for (const limit = Date.now() + 120_000; ; ) {
    const answered = await fetch(url).then(
      (response) => response.status < 500,
      () => false,
    );
    if (answered) return;
    if (Date.now() > limit || child.exitCode !== null) throw new Error(`nothing answers ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Ends a server with its workers. */
export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.pid === undefined) return resolve();
    child.once('exit', () => resolve());
    process.kill(-child.pid, 'SIGKILL');
  });
}

/** A port of loopback that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
