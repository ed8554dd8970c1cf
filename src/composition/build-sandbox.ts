/** Sandboxes in which environments are built: made, used and removed like any other, in the name of who asked. */
import { Readable } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import type { BuildSession, WithBuildSandbox } from '#src/environments/build-wheels.ts';
import { eachLine } from '#src/environments/each-line.ts';
import { createSandbox } from '#src/sandboxes/create-sandbox.ts';
import { deleteSandbox } from '#src/sandboxes/delete-sandbox.ts';
import { execInSandbox } from '#src/sandboxes/exec-in-sandbox.ts';
import type { SandboxDeps } from '#src/sandboxes/sandbox-deps.ts';
import { openSession, type Use } from '#src/sandboxes/use-sandbox.ts';

const MIB = 2 ** 20;
const SIZES = { memory: 2048 * MIB, disk: 4096 * MIB, cpus: 2, ttl: 3_600_000 };
const LONGEST_OUTPUT_BYTES = 64 * 1024;

export const createBuildSandboxes =
  (deps: SandboxDeps): WithBuildSandbox =>
  async ({ identity, requestId, egress, purpose }, work) => {
    const sandbox = await createSandbox(deps, { identity, requestId, request: { ...SIZES, egress, purpose } });
    try {
      return await work(sessionOf(deps, { identity, requestId, ref: sandbox.id }));
    } finally {
      await deleteSandbox(deps, { identity, requestId, ref: sandbox.id });
    }
  };

function sessionOf(deps: SandboxDeps, use: Use): BuildSession {
  const files = async () => (await openSession(deps, use, 'sandbox.files')).session.files;
  return {
    run: async (argv, env, onLine) => {
      const exec = await execInSandbox(deps, use, { argv, env });
      exec.stdin.end();
      const [stdout, stderr, result] = await Promise.all([
        tail(exec.stdout, onLine),
        tail(exec.stderr, onLine),
        exec.result,
      ]);
      return { exitCode: result.exitCode, output: `${stdout}\n${stderr}` };
    },
    write: async (path, text) => {
      await (await files()).write(path, Readable.from([Buffer.from(text)]));
    },
    list: async (folder) => (await (await files()).list(folder)).filter((one) => one.kind === 'file'),
    read: async (path) => {
      const open = await files();
      const info = await open.stat(path);
      if (info.kind !== 'file') throw new AppError('invalid', 'What was built is no file.');
      return open.read(path);
    },
  };
}

/** The end of a stream's text; its lines are told as they come. */
async function tail(stream: Readable, onLine: (line: string) => void = () => undefined): Promise<string> {
  const lines = eachLine(onLine);
  let text = '';
  for await (const chunk of stream) {
    text = (text + String(chunk)).slice(-LONGEST_OUTPUT_BYTES);
    lines(chunk);
  }
  return text;
}
