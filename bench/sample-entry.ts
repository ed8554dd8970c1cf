import type { EntryDraft } from '#src/audit/entry.ts';

/** An entry as a crossing at a door leaves it. */
export const sampleEntry = (writer: number, at: number): EntryDraft => ({
  time: Date.now(),
  actor: { type: 'sandbox', id: `sb-${writer}`, user: 'erin' },
  action: 'run.log',
  object: { kind: 'run', id: `run-${writer}` },
  decision: { id: `dec-${writer}-${at}`, allowed: true, bundles: [], inputDigest: `sha256:${'0'.repeat(64)}` },
  outcome: 'ok',
  requestId: `req-${writer}-${at}`,
  door: 'mlflow',
});
