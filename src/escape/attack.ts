/** What an attack is, and how what it came to is read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arena } from './arena.ts';

/**
 * How it is shown that the attack works where nothing holds it back:
 * - `privileged-container`: the same script, in a container with every capability and no filter, in namespaces of its own;
 * - `errno-only`: the same, with arguments that pass the kernel's permission check and then cannot act (no namespace holds what it aims at);
 * - `host-namespace`: the same, and the container shares the one namespace or thing that the sandbox must not.
 */
export type Control = 'privileged-container' | 'errno-only' | 'host-namespace';

/** What a `host-namespace` control shares, or in which way a container is less than sealed. */
export type Shared =
  | 'host-cgroup'
  | 'host-network'
  | 'host-pid'
  | 'neighbour-network'
  | 'host-folder-descriptor'
  | 'host-folder';

export type Attack = {
  name: string;
  /** What would be lost if it succeeded. */
  attempts: string;
  /** Python statements after the prelude; raises OSError, or calls `succeeded` or `refused`. */
  script: string;
  /** What may stop it inside the wall: names of errno, of signals, or the script's own words. Anything else is a failed test. */
  refusedBy: readonly string[];
  control: Control;
  shares?: Shared;
  /** Python run in the container first: makes the target that an unsealed host would have. */
  stage?: string;
  /** What a kernel may be built without: only then may the control find nothing, and the test is skipped by this name. */
  mayLack?: string;
  /** Python run in an earlier sandbox, which is gone when the attack starts; the container runs it as a stage of its own. */
  earlier?: string;
  /** A file of the host's folder: the attack succeeded when it is there afterwards, whatever the script saw from where it ran. */
  plants?: string;
  /** Limits of a sandbox of its own, for attacks that use one up. */
  limits?: { memoryBytes?: number; cpus?: number; pids?: number; diskBytes?: number };
  /** Bytes of output after which the sandbox ends a command. */
  maxOutputBytes?: number;
};

/** What is seen from beside, at a neighbour or on the host, and so is more than a script. */
export type Trial = Pick<Attack, 'name' | 'attempts' | 'refusedBy' | 'mayLack'> & {
  control: 'beside';
  /** How the control differs from the sandbox. */
  without: string;
  inside(arena: Arena): Promise<Outcome>;
  outside(arena: Arena): Promise<Outcome>;
};

export type Family = { name: string; title: string; attacks: readonly (Attack | Trial)[] };

export type Outcome = { outcome: 'succeeded' | 'refused'; why: string };

const PRELUDE = readFileSync(join(import.meta.dirname, 'prelude.py'), 'utf8');

/** The whole program of an attack. A mistake in it ends with a traceback, which is neither success nor refusal. */
export const programOf = (script: string, stage = ''): string =>
  `${PRELUDE}\nprogram(${JSON.stringify(stage)}, ${JSON.stringify(script)})\n`;

export type Ended = { exitCode: number; signal?: string | undefined; stdout: string; stderr: string };

/** The verdict line of a script, or the signal that ended it. Throws for a script that broke. */
export function outcomeOf(ended: Ended): Outcome {
  const line = ended.stdout.trim().split('\n').at(-1) ?? '';
  if (line.startsWith('{"outcome"')) {
    const { outcome, why } = JSON.parse(line) as Record<string, unknown>;
    const code = outcome === 'succeeded' ? 0 : 10;
    if ((outcome === 'succeeded' || outcome === 'refused') && typeof why === 'string' && ended.exitCode === code)
      return { outcome, why };
  }
  if (ended.signal !== undefined) return { outcome: 'refused', why: `SIG${ended.signal.replace(/^SIG/, '')}` };
  throw new Error(
    `The script broke (exit code ${ended.exitCode}):\n${ended.stderr.slice(-2000)}${ended.stdout.slice(-500)}`,
  );
}
