/** The phases of `fumehood test`, in order: the cheap ones first, so that a mistake shows early. */
export type Phase = {
  name: string;
  title: string;
  /** Test files, as globs from the root of the checkout; or a tool to run. */
  files?: readonly string[];
  /** Left out although a glob names them. */
  except?: readonly string[];
  tool?: readonly string[];
  postgres?: boolean;
  /** Milliseconds after which one test has hung. */
  timeoutMs?: number;
};

export const PHASES = [
  { name: 'types', title: 'type check', tool: ['tsc', '--noEmit'] },
  { name: 'lint', title: 'linter', tool: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'architecture', title: 'import arrows', files: ['test/architecture.test.ts'] },
  {
    name: 'unit',
    title: 'unit tests',
    files: ['src/**/*.test.ts', 'test/*.test.ts'],
    except: ['src/drivers/**', 'src/**/*store.test.ts', 'test/architecture.test.ts'],
    postgres: true,
  },
  {
    name: 'store',
    title: 'store on SQLite and PostgreSQL',
    files: ['src/**/*store.test.ts', 'test/store/**/*.test.ts'],
    postgres: true,
    timeoutMs: 300_000,
  },
  { name: 'policy', title: 'policies', files: ['test/policy/**/*.test.ts'] },
  { name: 'fuzz', title: 'fuzzing', files: ['test/fuzz/**/*.test.ts'], timeoutMs: 600_000 },
  { name: 'drivers', title: 'driver contract', files: ['src/drivers/**/*.test.ts'], timeoutMs: 300_000 },
  { name: 'protocol', title: 'protocols with real clients', files: ['test/protocol/**/*.test.ts'], timeoutMs: 600_000 },
  { name: 'escape', title: 'escape attacks', files: ['test/escape/**/*.test.ts'], timeoutMs: 600_000 },
  {
    name: 'crash',
    title: 'kill -9 of the control plane',
    files: ['test/crash/**/*.test.ts'],
    postgres: true,
    // Its tests have limits of their own, which grow with FUMEHOOD_CRASH_POINTS.
    timeoutMs: 14_400_000,
  },
  {
    name: 'faults',
    title: 'full disks, moved clocks, lost stores, hung runtimes',
    files: ['test/faults/**/*.test.ts'],
    timeoutMs: 600_000,
  },
  { name: 'e2e', title: 'end to end', files: ['test/e2e/**/*.test.ts'], timeoutMs: 1_200_000 },
] as const satisfies readonly Phase[];

export const PHASE_NAMES: readonly string[] = PHASES.map((phase) => phase.name);
