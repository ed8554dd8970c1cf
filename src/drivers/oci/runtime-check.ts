/** Which OCI runtimes can be used here, and why not. */
import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Check } from '../driver.ts';
import { cgroupVersion } from './cgroups.ts';
import { EARLIEST_RELEASE, RUNSC } from './gvisor.ts';
import { programPath } from './program-path.ts';

export type RuntimeName = 'runc' | 'crun' | 'runsc';
export type RuntimeFinding = { name: RuntimeName; works: boolean; check: Check };

const VERSION_MS = 5000;
const HYBRID_ROOT = '/sys/fs/cgroup/unified';
const FIXES: Readonly<Record<RuntimeName, string>> = {
  runc: 'apt-get install -y runc',
  crun: 'apt-get install -y crun',
  runsc: 'fumehood setup runsc',
};

/** Looks at one runtime. */
export async function runtimeCheck(name: RuntimeName): Promise<RuntimeFinding> {
  const path = programPath(name);
  const { version, failure } = path === undefined ? { version: '', failure: 'not installed' } : await versionOf(path);
  const hybrid = cgroupVersion() === 1 && existsSync(HYBRID_ROOT);
  const refusal = failure === undefined ? refusalOf(name, version, hybrid) : { reason: failure, fix: FIXES[name] };
  const check = { id: name, title: `OCI runtime: ${name}`, required: false };
  if (refusal === undefined)
    return {
      name,
      works: true,
      check: { ...check, state: 'ok', found: found(name, version), consequence: '', fix: '' },
    };
  return {
    name,
    works: false,
    check: {
      ...check,
      state: 'missing',
      found: version === '' ? refusal.reason : `${version}: ${refusal.reason}`,
      consequence: `--runtime ${name} is refused.`,
      fix: refusal.fix,
    },
  };
}

/** With gVisor, what is otherwise than the rest of the list says. */
const found = (name: RuntimeName, version: string): string =>
  name === RUNSC
    ? `${version}; system calls are filtered by its own kernel, and a sandbox that uses up its memory ends`
    : version;

function versionOf(path: string): Promise<{ version: string; failure?: string }> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: VERSION_MS, killSignal: 'SIGKILL' }, (error, stdout) => {
      const version = stdout.split('\n')[0]?.trim() ?? '';
      resolve(error === null ? { version } : { version, failure: failureOf(error) });
    });
  });
}

/** Why a runtime does not even tell its version. */
function failureOf(error: ExecFileException): string {
  if (error.killed === true) return `does not answer within ${VERSION_MS / 1000} s`;
  return `fails (${error.code ?? error.signal ?? error.message})`;
}

/** Why an installed runtime cannot be used here, and what would mend it. */
export function refusalOf(
  name: RuntimeName,
  version: string,
  hybrid: boolean,
): { reason: string; fix: string } | undefined {
  if (name === 'crun' && hybrid)
    return {
      reason: "it does not start containers on this host's hybrid control groups (version 1 with version 2 beside it)",
      fix: 'boot with systemd.unified_cgroup_hierarchy=1 (version 2 alone), or use --runtime runc',
    };
  if (name === RUNSC && !(releaseOf(version) >= EARLIEST_RELEASE))
    return { reason: `a release from ${EARLIEST_RELEASE} on is needed`, fix: FIXES.runsc };
  return undefined;
}

/** `runsc version release-20260905.0` → 20260905. */
const releaseOf = (version: string): number => Number(/release-(\d{8})/.exec(version)?.[1] ?? Number.NaN);
