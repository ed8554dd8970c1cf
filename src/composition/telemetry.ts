/** What the control plane says of itself: log, metrics, traces, health. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createLog, type Log } from '#kernel/log.ts';
import type { Config } from '#src/config/load-config.ts';
import type { Driver } from '#src/drivers/driver.ts';
import type { ApiDeps, OpenAnswer } from '#src/http/server.ts';
import { countSandboxesByState } from '#src/sandboxes/sandbox-store.ts';
import { collectProcess } from '#src/telemetry/collect-process.ts';
import { createMetrics, METRICS_CONTENT_TYPE, type Metrics } from '#src/telemetry/metrics.ts';
import { otlpConfigOf } from '#src/telemetry/otlp-config.ts';
import { createReadiness } from '#src/telemetry/readiness.ts';
import { rotatingWrite } from '#src/telemetry/rotate-log.ts';
import { selectBlobTotals, selectDatabaseSize, touchReadiness } from '#src/telemetry/telemetry-store.ts';
import type { Tracer } from '#src/telemetry/tracer.ts';
import type { Core } from './core.ts';

export type Telemetry = { log: Log; metrics: Metrics; tracer: Tracer | undefined; close(): Promise<void> };

/** Opens log and metrics, and the way to a collector when one is configured. */
export async function openTelemetry(
  { settings, home }: Pick<Config, 'settings' | 'home'>,
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<Telemetry> {
  const metrics = createMetrics();
  const otlp = otlpConfigOf(settings['otlp.endpoint'], env, { 'service.version': version });
  const exports = otlp === undefined ? undefined : (await import('./otlp.ts')).openOtlp(otlp, metrics);
  const format = settings['log.format'] ?? (process.stderr.isTTY ? 'text' : 'json');
  const write = rotatingWrite((line) => void process.stderr.write(line), {
    fd: process.stderr.fd,
    path: join(home, 'control.log'),
    maxBytes: settings['log.maxSize'],
    files: settings['log.files'],
  });
  const written = createLog(write, settings['log.level'], format, exports?.record);
  const log: Log = (level, message, fields) => {
    metrics.fumehood_log_lines_total.inc(1, level);
    written(level, message, fields);
  };
  const stop = collectProcess(metrics);
  return {
    log,
    metrics,
    tracer: exports?.tracer,
    close: async () => {
      stop();
      await exports?.close();
    },
  };
}

const SIZES_FRESH_MS = 60_000;

/** Registers what is looked up before each scrape. Sizes of large tables are looked up once a minute. */
export function collectState(core: Core, driver: Driver, version: string): void {
  const { metrics } = core.telemetry;
  metrics.fumehood_build_info.set(1, version, process.version, core.database.engine, driver.id);
  let sizedMs = 0;
  metrics.onCollect(async () => {
    try {
      await collectNow(core, driver);
      if (core.clock.nowMs() - sizedMs < SIZES_FRESH_MS) return;
      sizedMs = core.clock.nowMs();
      const { blobs, bytes } = await core.database.read(async (reader) => ({
        blobs: await selectBlobTotals(reader),
        bytes: await selectDatabaseSize(reader),
      }));
      metrics.fumehood_objects.set(blobs.count);
      metrics.fumehood_objects_bytes.set(blobs.sizeBytes);
      metrics.fumehood_database_size_bytes.set(bytes);
    } catch (error) {
      core.log('warn', 'some metrics could not be looked up', { error });
    }
  });
}

async function collectNow(core: Core, driver: Driver): Promise<void> {
  const { metrics } = core.telemetry;
  const counts = await core.database.read(countSandboxesByState);
  metrics.fumehood_sandboxes.clear();
  for (const state of ['starting', 'running', 'stopping', 'stopped', 'deleting', 'failed'])
    metrics.fumehood_sandboxes.set(counts[state] ?? 0, state);
  const { published, waitingSinceMs } = core.tiles.state();
  metrics.fumehood_audit_entries.set(core.auditLog.size());
  metrics.fumehood_audit_unpublished_entries.set(Math.max(0, core.auditLog.size() - published));
  metrics.fumehood_audit_publish_lag_seconds.set(
    waitingSinceMs === undefined ? 0 : Math.max(0, (core.clock.nowMs() - waitingSinceMs) / 1000),
  );
  const vitals = await driver.vitals?.();
  for (const [pool, ready] of Object.entries(vitals?.pools ?? {})) metrics.fumehood_pool_ready.set(ready, pool);
  if (vitals?.gpus !== undefined && vitals.gpus.total > 0) {
    metrics.fumehood_gpus.set(vitals.gpus.total, 'all');
    metrics.fumehood_gpus.set(vitals.gpus.used, 'handed out');
  }
}

/** What is answered without a token: whether work can be done here and, where it is configured so, the metrics. */
export function openAnswers(core: Core, driver: Driver): NonNullable<ApiDeps['open']> {
  const readiness = createReadiness({
    clock: core.clock,
    log: core.log,
    checks: {
      store: () => core.database.transaction((tx) => touchReadiness(tx, core.clock.nowMs())),
      'log-key': () => accessSync(join(core.home, 'keys', 'audit-log.pem'), constants.R_OK),
      driver: async () => {
        if (!(await driver.probe()).usable) throw new Error('the driver cannot be used; see "fumehood doctor"');
      },
      helper: async () => {
        const vitals = await driver.vitals?.();
        if (vitals?.helpers === false) throw new Error('a process that the driver needs does not answer');
      },
    },
  });
  const ready = async (): Promise<OpenAnswer> => {
    const { ready: isReady, checks } = await readiness();
    const body = JSON.stringify({ status: isReady ? 'ready' : 'not ready', checks });
    return { status: isReady ? 200 : 503, type: 'application/json', body };
  };
  const metrics = async (): Promise<OpenAnswer> => ({
    status: 200,
    type: METRICS_CONTENT_TYPE,
    body: await core.telemetry.metrics.render(),
  });
  return { '/readyz': ready, ...(core.settings['metrics.public'] ? { '/metrics': metrics } : {}) };
}
