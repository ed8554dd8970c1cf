import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, matchesGlob } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Output } from './output.ts';
import { startPostgres } from './private-postgres.ts';
import { PHASES, type Phase } from './test-phases.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DEFAULT_TIMEOUT_MS = 120_000;

type Outcome = {
  phase: Phase;
  ok: boolean;
  seconds: number;
  pass: number;
  fail: number;
  skipped: string[];
  ran: boolean;
};

/** Runs the phases, all of them also when one fails, then says what each came to. Resolves to the exit code. */
export async function runTests(options: { only: string[]; env: NodeJS.ProcessEnv; out: Output }): Promise<number> {
  const phases: Phase[] = PHASES.filter((phase) => options.only.length === 0 || options.only.includes(phase.name));
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-test-'));
  const postgres = await postgresFor(phases, options, scratch);
  const env = { ...testEnv(options.env), ...(postgres === undefined ? {} : { FUMEHOOD_TEST_POSTGRES: postgres.url }) };
  const outcomes: Outcome[] = [];
  try {
    for (const phase of phases) {
      options.out.note(`\n== ${phase.name}: ${phase.title}`);
      outcomes.push(await runPhase(phase, env, scratch));
    }
  } finally {
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  return summarize(outcomes, options.out);
}

async function postgresFor(phases: Phase[], options: { env: NodeJS.ProcessEnv; out: Output }, scratch: string) {
  if (!phases.some((phase) => phase.postgres === true)) return undefined;
  if (options.env.FUMEHOOD_TEST_POSTGRES !== undefined) return undefined;
  return startPostgres({ folder: scratch, say: options.out.note });
}

/** Tests must not see the caller's own control plane, nor write into this run's coverage or caches. */
function testEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const {
    FUMEHOOD_HOME: _home,
    FUMEHOOD_URL: _url,
    FUMEHOOD_TOKEN: _token,
    FUMEHOOD_OUTPUT: _output,
    NODE_TEST_CONTEXT: _context,
    ...rest
  } = env;
  return { ...rest, PATH: `${join(process.execPath, '..')}:${rest.PATH ?? ''}` };
}

async function runPhase(phase: Phase, env: NodeJS.ProcessEnv, scratch: string): Promise<Outcome> {
  const started = performance.now();
  const done = (part: Partial<Outcome>): Outcome => ({
    phase,
    ok: false,
    pass: 0,
    fail: 0,
    skipped: [],
    ran: true,
    ...part,
    seconds: (performance.now() - started) / 1000,
  });
  if (phase.tool !== undefined) {
    const [tool = '', ...args] = phase.tool;
    const code = await run(join(ROOT, 'node_modules', '.bin', tool), args, env);
    return done({ ok: code === 0, pass: code === 0 ? 1 : 0, fail: code === 0 ? 0 : 1 });
  }
  const files = filesOf(phase);
  // A phase that tests nothing would pass for ever.
  if (files.length === 0) return done({ ran: false });
  const report = join(scratch, `${phase.name}.tap`);
  const timeoutMs = phase.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${timeoutMs}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
    ...files,
  ];
  const code = await run(process.execPath, args, env);
  const counts = countsOf(readFileSync(report, 'utf8'));
  return done({ ok: code === 0 && counts.pass + counts.fail + counts.skipped.length > 0, ...counts });
}

/** The files of a phase, each in one phase only. */
export function filesOf(phase: Phase): string[] {
  const except = phase.except ?? [];
  return globSync([...(phase.files ?? [])], { cwd: ROOT })
    .filter((file) => !except.some((pattern) => matchesGlob(file, pattern)))
    .sort();
}

/** The final counts of a TAP report, and every skipped test with its reason. */
export function countsOf(report: string): { pass: number; fail: number; skipped: string[] } {
  const count = (name: string): number => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(report)?.[1] ?? 0);
  const skipped = [...report.matchAll(/^\s*ok \d+ - (.*?) # SKIP ?(.*)$/gm)].map(
    ([, title, reason]) => `${title}: ${reason === '' ? 'no reason given' : reason}`,
  );
  return { pass: count('pass'), fail: count('fail') + count('cancelled'), skipped };
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.once('SIGTERM', forward);
    child.once('error', (error) =>
      reject(
        new AppError('unavailable', `${command} cannot be run (${error.message}).`, {
          details: { hint: 'Run npm ci.' },
        }),
      ),
    );
    child.once('close', (code) => {
      process.off('SIGTERM', forward);
      resolve(code ?? 1);
    });
  });
}

function summarize(outcomes: Outcome[], out: Output): number {
  const skipped = outcomes.flatMap((one) => one.skipped.map((text) => `${one.phase.name}: ${text}`));
  out.note('');
  for (const text of skipped) out.note(`skipped ${text}`);
  const items = outcomes.map((one) => ({
    phase: one.phase.name,
    result: one.ran ? (one.ok ? 'ok' : 'FAILED') : 'empty',
    passed: one.pass,
    failed: one.fail,
    skipped: one.skipped.length,
    seconds: Math.round(one.seconds * 10) / 10,
  }));
  out.list({ items, next: null }, [
    ['PHASE', 'phase'],
    ['RESULT', 'result'],
    ['PASSED', 'passed'],
    ['FAILED', 'failed'],
    ['SKIPPED', 'skipped'],
    ['SECONDS', 'seconds'],
  ]);
  const sum = (pick: (one: Outcome) => number): number => outcomes.reduce((all, one) => all + pick(one), 0);
  const failed = outcomes.filter((one) => !one.ok);
  const lost = failed.filter((one) => one.fail === 0).length;
  const closing = `${sum((one) => one.pass)} passed, ${sum((one) => one.fail) + lost} failed, ${skipped.length} skipped`;
  if (out.json) out.note(closing);
  else out.data(`${closing}\n`);
  return failed.length === 0 && sum((one) => one.pass) > 0 ? 0 : 1;
}
