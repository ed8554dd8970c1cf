/** What the core does, counted: entries, commits, decisions. */
import type { Appender, Batch } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import type { Decider } from '#src/gateway/crossing.ts';
import type { Metrics } from './metrics.ts';

/** The audit log, whose entries are counted once they are durable: so the counters say what the log says. */
export function countEntries<A extends Appender>(log: A, metrics: Metrics): A {
  return {
    ...log,
    append: async (tx, drafts) => {
      const pending = await log.append(tx, drafts);
      return {
        ...pending,
        durable: () => {
          pending.durable();
          for (const draft of drafts) countEntry(metrics, draft);
        },
      };
    },
  };
}

function countEntry(metrics: Metrics, { door = 'system', action, outcome, details }: EntryDraft): void {
  metrics.fumehood_crossings_total.inc(1, door, action, outcome);
  if (outcome === 'failed') {
    metrics.fumehood_crossing_failures_total.inc(1, door, String(details?.code ?? 'unknown'));
    if (details?.code === 'quota_exceeded') metrics.fumehood_quota_refusals_total.inc(1);
  }
  if (action === 'egress.close') {
    metrics.fumehood_egress_bytes_total.inc(Number(details?.bytesOut ?? 0), 'out');
    metrics.fumehood_egress_bytes_total.inc(Number(details?.bytesIn ?? 0), 'in');
  }
}

/** One group commit. */
export function countBatch(metrics: Metrics, { acts, durationMs, ok }: Batch): void {
  metrics.fumehood_commit_duration_seconds.observe(durationMs / 1000);
  metrics.fumehood_commit_acts.observe(acts);
  if (!ok) metrics.fumehood_commit_failures_total.inc(1);
}

/** The decider, whose decisions are timed. */
export const timeDecisions = (decider: Decider, metrics: Metrics): Decider => ({
  ...decider,
  decide: async (reader, asked) => {
    const startedMs = performance.now();
    const decision = await decider.decide(reader, asked);
    metrics.fumehood_policy_decision_duration_seconds.observe((performance.now() - startedMs) / 1000);
    return decision;
  },
});
