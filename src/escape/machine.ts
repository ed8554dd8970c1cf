/** What a scorecard says of the machine that it was made on, and what is reported but not judged. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, release, version } from 'node:os';
import { promisify } from 'node:util';
import { cgroupVersion } from '#src/drivers/oci/cgroups.ts';
import { type Arena, resultOf } from './arena.ts';

export type Machine = {
  kernel: string;
  architecture: string;
  driver: string;
  runtime: string;
  runtimeVersion: string;
  cgroupVersion: number;
  fumehoodVersion: string;
  /** ISO 8601. */
  time: string;
};

/** Side channels that no wall of software closes: simultaneous multithreading, memory deduplication, mitigations, and how fine a clock is inside. */
export type SideChannels = {
  smt: string;
  ksm: string;
  mitigations: Record<string, string>;
  /** Nanoseconds: what the kernel promises, and the smallest step that a sandbox saw. */
  timerResolutionNs: { promised: number; seen: number };
};

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
};

export async function describeMachine(options: {
  driver: string;
  runtime: string;
  fumehoodVersion: string;
  nowMs: number;
}): Promise<Machine> {
  const { stdout } = await promisify(execFile)(options.runtime, ['--version']);
  return {
    kernel: `${release()} ${version()}`,
    architecture: arch(),
    driver: options.driver,
    runtime: options.runtime,
    runtimeVersion: stdout.split('\n')[0]?.trim() ?? '',
    cgroupVersion: cgroupVersion() ?? 0,
    fumehoodVersion: options.fumehoodVersion,
    time: new Date(options.nowMs).toISOString(),
  };
}

const SMT: Record<string, string> = { '0': 'off', '1': 'on' };
const VULNERABILITIES = '/sys/devices/system/cpu/vulnerabilities';

export async function describeSideChannels({ world, attacker }: Arena): Promise<SideChannels> {
  const smt = textOf('/sys/devices/system/cpu/smt/active');
  const ksm = textOf('/sys/kernel/mm/ksm/run');
  return {
    smt: SMT[smt] ?? smt,
    ksm: ksm === '1' ? `on, ${textOf('/sys/kernel/mm/ksm/pages_sharing')} pages shared` : (SMT[ksm] ?? ksm),
    mitigations: Object.fromEntries(
      filesIn(VULNERABILITIES).map((name) => [name, textOf(`${VULNERABILITIES}/${name}`)]),
    ),
    timerResolutionNs: resultOf<SideChannels['timerResolutionNs']>(await world.python(attacker, CLOCK)),
  };
}

const filesIn = (path: string): string[] => {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
};

const CLOCK = `
import json, time
steps = []
for _ in range(20000):
    first = time.perf_counter_ns()
    second = time.perf_counter_ns()
    while second == first:
        second = time.perf_counter_ns()
    steps.append(second - first)
print(json.dumps({"promised": round(time.clock_getres(time.CLOCK_MONOTONIC) * 1e9), "seen": min(steps)}))
`;
