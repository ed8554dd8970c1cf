import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, LineageRecorder } from '#src/gateway/crossing.ts';
import type { BlobVault } from './blob.ts';
import type { BucketRules } from './bucket.ts';

/** What the use cases of objects are made of. */
export type ObjectsDeps = {
  gateway: Pick<Gateway, 'check' | 'cross' | 'refuse' | 'system'>;
  database: Pick<Database, 'read' | 'peek'>;
  vault: BlobVault;
  lineage: Pick<LineageRecorder, 'labelsOf' | 'addLabels'>;
  clock: Clock;
  ids: Ids;
  /** The built-in buckets, by name. */
  builtIn: Readonly<Record<string, BucketRules>>;
};
