/** Packages that come as source are built inside a sandbox of their own, whose only way out is the package index. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Telling } from './build-progress.ts';

/** What a build may do in its sandbox. `output` is stdout and stderr, cut. */
export type BuildSession = {
  run(
    argv: string[],
    env: Record<string, string>,
    onLine?: (line: string) => void,
  ): Promise<{ exitCode: number; output: string }>;
  write(path: string, text: string): Promise<void>;
  list(folder: string): Promise<{ name: string; sizeBytes: number }[]>;
  read(path: string): Promise<Readable>;
};

/** Opens a sandbox for the caller, with egress to these `HOST:PORT` alone, and removes it when `work` has ended. */
export type WithBuildSandbox = <T>(
  options: { identity: Identity; requestId: string; egress: string[]; purpose: string },
  work: (session: BuildSession) => Promise<T>,
) => Promise<T>;

const WHEEL = /^[A-Za-z0-9._+!-]{1,200}\.whl$/;
const LARGEST_TOTAL_BYTES = 8 * 2 ** 30;
const MOST_WHEELS = 2000;
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** Where packages come from: the index, and the host of its files. */
export function indexHosts(indexUrl: string | undefined): string[] {
  if (indexUrl === undefined) return ['pypi.org:443', 'files.pythonhosted.org:443'];
  const { hostname, port, protocol } = new URL(indexUrl);
  return [`${hostname}:${port === '' ? (protocol === 'http:' ? 80 : 443) : port}`];
}

/**
 * Builds the wheels of these requirements and of all that they need, and brings them out into `folder`. What comes out is as foreign as
 * a wheel of the index: it is only ever unpacked here, and run in sandboxes. Throws `invalid` with the reason of the build, and
 * `capability_missing` where the index wants a password.
 */
export async function buildWheels(
  deps: { withSandbox: WithBuildSandbox; indexUrl: string | undefined },
  input: {
    identity: Identity;
    requestId: string;
    requirements: string;
    folder: string;
    name: string;
    telling: Telling;
  },
): Promise<void> {
  const { identity, requestId, requirements, folder, telling } = input;
  telling.phase('build');
  refuseCredentials(deps.indexUrl);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const egress = indexHosts(deps.indexUrl);
  const purpose = `build the environment ${input.name}`;
  await deps.withSandbox({ identity, requestId, egress, purpose }, async (session) => {
    await session.write('/workspace/requirements.in', requirements);
    const env = {
      PIP_CERT: CERTIFICATES,
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      PIP_NO_CACHE_DIR: '1',
      PIP_NO_INPUT: '1',
      PIP_PROGRESS_BAR: 'off',
      PYTHONUNBUFFERED: '1',
      TMPDIR: '/workspace/tmp',
      ...(deps.indexUrl === undefined ? {} : { PIP_INDEX_URL: deps.indexUrl }),
    };
    await succeed(session, ['mkdir', '-p', '/workspace/tmp', '/workspace/wheels'], env);
    await succeed(session, ['/usr/bin/python3', '-m', 'venv', '/workspace/build'], env);
    const wheel = ['wheel', '--use-pep517', '--wheel-dir', '/workspace/wheels', '-r', '/workspace/requirements.in'];
    await succeed(session, ['/workspace/build/bin/python', '-m', 'pip', ...wheel], env, telling.log);
    await bringOut(session, folder);
  });
}

/** A build runs the code of others, which could write down whatever the sandbox is given. */
function refuseCredentials(indexUrl: string | undefined): void {
  if (indexUrl === undefined) return;
  const { username, password } = new URL(indexUrl);
  if (username === '' && password === '') return;
  throw new AppError(
    'capability_missing',
    'A package comes as source only, and index.url carries a password: the code that builds it would see that.',
    { details: { hint: 'Name versions that have wheels, or let index.url name a mirror that asks for no password.' } },
  );
}

async function succeed(
  session: BuildSession,
  argv: string[],
  env: Record<string, string>,
  onLine?: (line: string) => void,
): Promise<void> {
  const { exitCode, output } = await session.run(argv, env, onLine);
  if (exitCode === 0) return;
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  throw new AppError(
    'invalid',
    `The packages could not be built from source: ${lines.slice(-8).join('\n').slice(0, 2000)}`,
    {
      details: { hint: 'Name versions that have wheels, or packages whose build needs nothing but Python.' },
    },
  );
}

async function bringOut(session: BuildSession, folder: string): Promise<void> {
  const wheels = (await session.list('/workspace/wheels')).filter(({ name }) => WHEEL.test(name));
  if (wheels.length > MOST_WHEELS) throw new AppError('too_large', `The build made more than ${MOST_WHEELS} wheels.`);
  let totalBytes = 0;
  for (const { name } of wheels) {
    const counting = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        totalBytes += chunk.length;
        done(
          totalBytes > LARGEST_TOTAL_BYTES ? new AppError('too_large', 'The built wheels are too large.') : null,
          chunk,
        );
      },
    });
    const file = createWriteStream(join(folder, name), { flags: 'wx', mode: 0o600 });
    await pipeline(await session.read(`/workspace/wheels/${name}`), counting, file);
  }
}
