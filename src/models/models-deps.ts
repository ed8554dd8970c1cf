import type { Clock } from '#kernel/clock.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { Question } from '#src/policies/decision.ts';

/** Who asks, through which door, under which request id. */
export type Caller = { identity: Identity; door: string; requestId: string };

/** Where a version's files lie, what they came of, and what policy is asked before somebody makes a version of them. */
export type VersionSource = {
  storageLocation: string;
  runId: string;
  modelId: string;
  questions: Question[];
  /** Read when the version is made, so that their labels come with it. */
  nodes: NodeRef[];
};

export type ModelsDeps = {
  gateway: Pick<Gateway, 'cross'>;
  labelsOf: (reader: Reader, nodes: NodeRef[]) => Promise<string[]>;
  /** Looks up what a source (`models:/ID`, `runs:/…`, `mlflow-artifacts:/…`, `s3://…`) stands for. Throws `invalid`, `not_found`. */
  resolveSource: (reader: Reader, source: { source: string; runId: string; modelId: string }) => Promise<VersionSource>;
  clock: Clock;
};
