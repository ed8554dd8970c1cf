import type { Driver, Exec, ExecOptions, Handle, Session, StartOptions } from '#src/drivers/driver.ts';
import type { Metrics } from './metrics.ts';
import type { SandboxTraces } from './sandbox-traces.ts';
import { formatTraceparent } from './traceparent.ts';
import type { Span, Tracer } from './tracer.ts';

type Deps = { metrics: Metrics; tracer: Tracer | undefined; traces: SandboxTraces };

/** The driver, whose starts and execs are timed and, where traces are exported, spans. */
export function observeDriver(driver: Driver, deps: Deps): Driver {
  return {
    ...driver,
    start: (options) => observeStart(driver, deps, options),
    session: async (handle) => observeSession(await driver.session(handle), deps),
    destroy: async (handle) => {
      const left = await driver.destroy(handle);
      deps.traces.forget(handle.sandboxId);
      return left;
    },
  };
}

async function observeStart(driver: Driver, deps: Deps, options: StartOptions): Promise<Handle> {
  const { metrics, tracer } = deps;
  const span = tracer?.span('start sandbox', {
    attributes: { 'fumehood.sandbox_id': options.sandboxId, 'fumehood.driver': driver.id },
  });
  const parent = tracer?.current();
  if (parent?.sampled === true) deps.traces.keep(options.sandboxId, parent);
  const startedMs = performance.now();
  let phaseMs = startedMs;
  const onPhase = (phase: string): void => {
    const nowMs = performance.now();
    metrics.fumehood_sandbox_start_phase_duration_seconds.observe((nowMs - phaseMs) / 1000, phase);
    const parts = { parent: span?.context, startMs: performance.timeOrigin + phaseMs };
    tracer?.span(`start: ${phase}`, parts).end({ endMs: performance.timeOrigin + nowMs });
    phaseMs = nowMs;
    options.onPhase?.(phase);
  };
  try {
    const handle = await driver.start({ ...options, onPhase });
    metrics.fumehood_sandbox_starts_total.inc(1, 'ok');
    metrics.fumehood_sandbox_start_duration_seconds.observe((performance.now() - startedMs) / 1000);
    span?.end();
    return handle;
  } catch (error) {
    metrics.fumehood_sandbox_starts_total.inc(1, 'failed');
    span?.end({ error: 'failed' });
    throw error;
  }
}

type Kind = 'command' | 'python';

function observeSession(session: Session, deps: Deps): Session {
  return {
    ...session,
    exec: (options) => observeExec(deps, 'command', options, (named) => session.exec(named)),
    runPython: (options) => observeExec(deps, 'python', options, (named) => session.runPython(named)),
  };
}

/** One exec from its request to its end. Where traces are exported it finds its span in `TRACEPARENT`. */
async function observeExec<O extends Pick<ExecOptions, 'env'>>(
  { metrics, tracer }: Deps,
  kind: Kind,
  options: O,
  run: (options: O) => Promise<Exec>,
): Promise<Exec> {
  const span = tracer?.span(`exec ${kind}`);
  const startedMs = performance.now();
  try {
    const exec = await run(span === undefined ? options : withSpan(options, span));
    metrics.fumehood_exec_start_duration_seconds.observe((performance.now() - startedMs) / 1000, kind);
    metrics.fumehood_execs_running.add(1);
    const end = (outcome: 'ok' | 'failed' | 'lost'): void => {
      metrics.fumehood_execs_running.add(-1);
      metrics.fumehood_execs_total.inc(1, kind, outcome);
    };
    exec.result.then(
      ({ exitCode }) => {
        end(exitCode === 0 ? 'ok' : 'failed');
        span?.set({ 'process.exit.code': exitCode });
        span?.end();
      },
      () => {
        end('lost');
        span?.end({ error: 'lost' });
      },
    );
    return exec;
  } catch (error) {
    metrics.fumehood_execs_total.inc(1, kind, 'refused');
    span?.end({ error: 'refused' });
    throw error;
  }
}

const withSpan = <O extends Pick<ExecOptions, 'env'>>(options: O, span: Span): O => ({
  ...options,
  env: { TRACEPARENT: formatTraceparent(span.context), ...options.env },
});
