/** Every metric of the control plane: what it is called, what it counts, and by what. No user, run or sandbox is ever a label. */
import { type Counter, createInstrument, type Gauge, type Histogram, type MetricSpec } from './instrument.ts';

const SHORT = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const LONG = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

const counter = (help: string, ...labels: string[]) => ({ type: 'counter' as const, help, labels });
const gauge = (help: string, ...labels: string[]) => ({ type: 'gauge' as const, help, labels });
const histogram = (buckets: readonly number[], help: string, ...labels: string[]) => ({
  type: 'histogram' as const,
  help,
  labels,
  buckets,
});

/** The table that the endpoint, the reference page, the dashboard and the alert rules are checked against. */
export const METRICS = {
  fumehood_build_info: gauge('Always 1; what runs.', 'version', 'node_version', 'database', 'driver'),
  fumehood_start_time_seconds: gauge('When the control plane started, in seconds since the epoch.'),
  fumehood_sandboxes: gauge('Sandboxes that are not deleted.', 'state'),
  fumehood_sandbox_starts_total: counter('Sandboxes that a driver was asked to start.', 'outcome'),
  fumehood_sandbox_start_duration_seconds: histogram(LONG, 'From the call of the driver until the agent answers.'),
  fumehood_sandbox_start_phase_duration_seconds: histogram(
    SHORT,
    'The parts of a start, as the driver names them.',
    'phase',
  ),
  fumehood_execs_total: counter('Commands and Python sources that ended in sandboxes.', 'kind', 'outcome'),
  fumehood_execs_running: gauge('Commands and Python sources that run now, started by this control plane.'),
  fumehood_exec_start_duration_seconds: histogram(SHORT, 'From the request until the agent says that it runs.', 'kind'),
  fumehood_crossings_total: counter(
    'Crossings of the wall and calls of the API, as the audit log has them.',
    'door',
    'action',
    'outcome',
  ),
  fumehood_crossing_failures_total: counter('Crossings that were allowed and failed.', 'door', 'code'),
  fumehood_quota_refusals_total: counter('Requests beyond a quota.'),
  fumehood_policy_decision_duration_seconds: histogram(SHORT, 'One decision, with what it looks up.'),
  fumehood_commit_duration_seconds: histogram(SHORT, 'One group commit: acts, entries, and the write to the disk.'),
  fumehood_commit_acts: histogram(BATCH, 'Acts that shared one commit.'),
  fumehood_commit_failures_total: counter('Commits that were not made; nothing of them was done.'),
  fumehood_audit_entries: gauge('Entries of the audit log.'),
  fumehood_audit_unpublished_entries: gauge('Entries that the folder of tiles does not show yet.'),
  fumehood_audit_publish_lag_seconds: gauge('Age of the oldest entry that the folder of tiles does not show yet.'),
  fumehood_database_size_bytes: gauge('Size of the state store.'),
  fumehood_objects: gauge('Encrypted files of objects and data sets.'),
  fumehood_objects_bytes: gauge('Their size.'),
  fumehood_gpus: gauge('GPUs of the host: that can be handed out, and that are, by any home.', 'state'),
  fumehood_pool_ready: gauge('What is kept ready for the next sandboxes.', 'pool'),
  fumehood_egress_bytes_total: counter('Bytes through the egress proxy, counted when a connection ends.', 'direction'),
  fumehood_http_requests_total: counter('Requests to the API.', 'method', 'route', 'status'),
  fumehood_http_request_duration_seconds: histogram(
    LONG,
    'Requests to the API, until their answer is sent or their stream ends.',
    'route',
  ),
  fumehood_door_requests_total: counter('Requests on the doors, from sandboxes and from outside.', 'door', 'status'),
  fumehood_door_request_duration_seconds: histogram(LONG, 'Requests on the doors, until their answer is sent.', 'door'),
  fumehood_event_loop_delay_seconds: gauge('How late the event loop was since the scrape before.', 'percentile'),
  fumehood_event_loop_utilization_ratio: gauge('Share of the time that the event loop worked since the scrape before.'),
  fumehood_cpu_seconds_total: counter('CPU time of the control plane.', 'mode'),
  fumehood_resident_memory_bytes: gauge('Memory of the control plane.'),
  fumehood_heap_used_bytes: gauge('Of it, what JavaScript objects take.'),
  fumehood_open_files: gauge('Open file descriptors of the control plane.'),
  fumehood_log_lines_total: counter('Lines of the log.', 'level'),
  fumehood_telemetry_items_total: counter('Spans and log records for the OTLP collector.', 'signal', 'outcome'),
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;
type Shape = { counter: Counter; gauge: Gauge; histogram: Histogram };

export type Metrics = {
  readonly [Name in MetricName]: Shape[(typeof METRICS)[Name]['type']];
} & {
  /** Adds work that is done before each rendering, to set gauges. */
  onCollect(collect: () => Promise<void> | void): void;
  /** The text of all metrics (Prometheus text format 0.0.4). */
  render(): Promise<string>;
};

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Series that alerts look at: there before the first event, because the step from nothing to one is not seen as an increase. */
const FROM_THE_START: readonly (readonly [MetricName, readonly (readonly string[])[]])[] = [
  ['fumehood_log_lines_total', [['debug'], ['info'], ['warn'], ['error']]],
  ['fumehood_sandbox_starts_total', [['ok'], ['failed']]],
  ['fumehood_egress_bytes_total', [['in'], ['out']]],
  ['fumehood_crossings_total', [['api', 'api.authenticate', 'denied']]],
  [
    'fumehood_telemetry_items_total',
    ['traces', 'logs'].flatMap((signal) => ['sent', 'dropped', 'refused'].map((outcome) => [signal, outcome])),
  ],
];

/** Makes all metrics, at zero. A collector that fails leaves its gauges as they were; it says so itself. */
export function createMetrics(): Metrics {
  const instruments = new Map(Object.entries(METRICS).map(([name, spec]) => [name, createInstrument(name, spec)]));
  const collectors: (() => Promise<void> | void)[] = [];
  for (const [name, values] of FROM_THE_START) for (const value of values) instruments.get(name)?.inc(0, ...value);
  return {
    // Each instrument can do all that its type names.
    ...(Object.fromEntries(instruments) as unknown as Pick<Metrics, MetricName>),
    onCollect: (collect) => void collectors.push(collect),
    render: async () => {
      for (const collect of collectors) await collect();
      return [...instruments.values()].map((one) => one.render()).join('');
    },
  };
}
