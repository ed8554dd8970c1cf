import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { AppError } from '#kernel/errors.ts';
import type { Exec, Session } from '#src/drivers/driver.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import { identityOfSandbox } from './live-sandboxes.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { insertSandboxEvent } from './sandbox-store.ts';
import { openSession, type Use } from './use-sandbox.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const CODE_FILE_LIMIT_BYTES = 1024 * 1024;

export const ExecRequest = z.strictObject({
  argv: z
    .array(z.string().max(128 * 1024))
    .min(1)
    .max(4096),
  env: z.record(z.string().regex(VARIABLE, 'a variable name'), z.string()).optional(),
  cwd: z.string().min(1).max(4096).optional(),
  timeoutMs: z
    .number()
    .int()
    .positive()
    .max(7 * 86_400_000)
    .optional(),
  maxOutputBytes: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('stdout and stderr together; beyond it the command is ended'),
  terminal: z.object({ rows: z.number().int().min(1).max(1000), cols: z.number().int().min(1).max(1000) }).optional(),
});
export type ExecRequest = z.infer<typeof ExecRequest>;

export const PythonRequest = z.strictObject({
  source: z.string().max(4 * 1024 * 1024),
  name: z.string().max(200).optional(),
  env: z.record(z.string().regex(VARIABLE, 'a variable name'), z.string()).optional(),
  cwd: z.string().min(1).max(4096).optional(),
  timeoutMs: z.number().int().positive().optional(),
  maxOutputBytes: z.number().int().positive().optional(),
});
export type PythonRequest = z.infer<typeof PythonRequest>;

/** Starts a command; its code (the words, and the files among them) is a node of the sandbox's lineage by digest. */
export async function execInSandbox(deps: SandboxDeps, use: Use, request: ExecRequest): Promise<Exec> {
  const program = request.argv[0]?.split('/').at(-1)?.slice(0, 100) ?? '';
  const candidates = codeWords(request);
  const known =
    candidates.length === 0
      ? { digest: sha256(canonicalJson({ argv: request.argv, files: {} })), name: program }
      : undefined;
  const { sandbox, live, session } = await openWithCode(deps, use, program, known);
  const code = known ?? (await codeOf(session, request, candidates, { program, folder: startFolder(sandbox) }));
  if (known === undefined) await recordCode(deps, () => sandbox, use.requestId, code);
  return watch(deps, live, use.requestId, code.name, await session.exec(request));
}

/** Runs Python source in the sandbox's warm interpreter; the source's digest is a node of the sandbox's lineage. */
export async function runPythonInSandbox(deps: SandboxDeps, use: Use, request: PythonRequest): Promise<Exec> {
  const code = { digest: sha256(request.source), name: request.name ?? 'python source' };
  const { live, session } = await openWithCode(deps, use, 'python', code);
  return watch(deps, live, use.requestId, code.name, await session.runPython(request));
}

type Code = { digest: string; name: string };

/** Opens the session and, when the code is known already, records it in the same commit. */
async function openWithCode(
  deps: SandboxDeps,
  use: Use,
  program: string,
  code: Code | undefined,
): ReturnType<typeof openSession> {
  let allowed: Sandbox | undefined;
  const opening = openSession(
    deps,
    use,
    'sandbox.exec',
    async (_tx, crossing, sandbox) => {
      crossing.detail('program', program);
      allowed = sandbox;
    },
    { atOnce: true },
  );
  if (code === undefined) return opening;
  const recording = recordCode(deps, () => allowed, use.requestId, code);
  const [opened, recorded] = await Promise.allSettled([opening, recording]);
  if (opened.status === 'rejected') throw opened.reason;
  if (recorded.status === 'rejected') throw recorded.reason;
  return opened.value;
}

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Where a command starts that names no folder. */
const startFolder = ({ spec }: Sandbox): string => spec.image?.workingDir || '/workspace';

const codeWords = (request: ExecRequest): string[] =>
  request.argv
    .slice(1)
    .filter((word) => /\.(py|ipynb|sh|r|jl)$/i.test(word) && word.length < 1024)
    .slice(0, 8);

/** `python train.py` is known by what train.py holds when it starts. */
async function codeOf(
  session: Session,
  request: ExecRequest,
  candidates: string[],
  { program, folder }: { program: string; folder: string },
): Promise<Code> {
  const files: Record<string, string> = {};
  for (const word of candidates) {
    const path = word.startsWith('/') ? word : `${request.cwd ?? folder}/${word}`;
    try {
      const info = await session.files.stat(path);
      if (info.kind === 'file' && info.sizeBytes <= CODE_FILE_LIMIT_BYTES)
        files[word] = await digestOf(await session.files.read(path));
    } catch {
      // The word names no readable file: then it is no code, and the words alone are the digest.
    }
  }
  const names = Object.keys(files).map((path) => path.split('/').at(-1) ?? path);
  return {
    digest: sha256(canonicalJson({ argv: request.argv, files })),
    name: [program, ...names].join(' ').slice(0, 200),
  };
}

async function digestOf(content: Readable): Promise<string> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of content) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > CODE_FILE_LIMIT_BYTES) break;
    hash.update(chunk as Buffer);
  }
  return `sha256:${hash.digest('hex')}`;
}

async function recordCode(
  deps: SandboxDeps,
  sandboxOf: () => Sandbox | undefined,
  requestId: string,
  code: Code,
): Promise<void> {
  const found = (): Sandbox => {
    const sandbox = sandboxOf();
    if (sandbox === undefined) throw new AppError('denied', 'The exec was not allowed.');
    return sandbox;
  };
  await deps.gateway.system({
    about: () => identityOfSandbox(found()),
    requestId,
    action: 'sandbox.exec.code',
    object: { kind: 'code', id: code.digest, name: code.name, digest: code.digest },
    act: async (tx, crossing) => {
      const { id } = found();
      crossing.detail('sandbox', id);
      await crossing.reads({ kind: 'code', id: code.digest, name: code.name, digest: code.digest }, 'executed');
      await insertSandboxEvent(tx, id, {
        atMs: crossing.nowMs,
        kind: 'exec',
        message: `${code.name} (${code.digest.slice(0, 19)})`,
      });
    },
  });
}

/** Counts the exec as work, ends it with the sandbox, and writes how it ended. */
function watch(deps: SandboxDeps, live: LiveSandbox, requestId: string, name: string, exec: Exec): Exec {
  const end = (): void => exec.signal('KILL');
  live.execs.add(end);
  const finish = (message: string): void => {
    live.execs.delete(end);
    live.lastActiveMs = deps.clock.nowMs();
    deps.execHistory.ended({ sandboxId: live.sandbox.id, atMs: live.lastActiveMs, message, requestId });
  };
  exec.result.then(
    (result) =>
      finish(
        `${name}: exit code ${result.exitCode}${result.timedOut ? ', timed out' : ''}${result.truncated ? ', output cut' : ''}`,
      ),
    () => finish(`${name}: lost`),
  );
  return exec;
}
