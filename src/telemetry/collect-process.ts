import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

const RESOLUTION_MS = 20;
const PERCENTILES: [string, number][] = [
  ['50', 50],
  ['90', 90],
  ['99', 99],
  ['100', 100],
];

/** Sets what is known of this process before each scrape; gives what ends the measuring. */
export function collectProcess(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let used = { user: 0, system: 0 };
  let utilization = performance.eventLoopUtilization();
  metrics.fumehood_start_time_seconds.set(performance.timeOrigin / 1000);
  metrics.onCollect(() => {
    for (const [name, percentile] of PERCENTILES)
      metrics.fumehood_event_loop_delay_seconds.set(
        // The histogram counts the timer's own interval too.
        Math.max(0, delay.count === 0 ? 0 : delay.percentile(percentile) / 1e9 - RESOLUTION_MS / 1000),
        name,
      );
    delay.reset();
    const now = performance.eventLoopUtilization();
    metrics.fumehood_event_loop_utilization_ratio.set(performance.eventLoopUtilization(now, utilization).utilization);
    utilization = now;
    const cpu = process.cpuUsage();
    metrics.fumehood_cpu_seconds_total.inc((cpu.user - used.user) / 1e6, 'user');
    metrics.fumehood_cpu_seconds_total.inc((cpu.system - used.system) / 1e6, 'system');
    used = cpu;
    metrics.fumehood_resident_memory_bytes.set(process.memoryUsage.rss());
    metrics.fumehood_heap_used_bytes.set(process.memoryUsage().heapUsed);
    metrics.fumehood_open_files.set(openFiles());
  });
  return () => delay.disable();
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
