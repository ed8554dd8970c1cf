import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity, LineageRecorder } from '#src/gateway/crossing.ts';
import type { Shelf } from '#src/objects/shelf.ts';

/** What the use cases of data sets are made of. */
export type DatasetsDeps = {
  gateway: Pick<Gateway, 'check' | 'cross' | 'system'>;
  database: Pick<Database, 'read'>;
  lineage: Pick<LineageRecorder, 'addLabels'>;
  shelf: Shelf;
  clock: Clock;
  ids: Ids;
  /** The words that tags are chosen from. */
  vocabulary: readonly string[];
};

/** Who asks, as in every use case. */
export type Caller = { identity: Identity; requestId: string };

/** Data sets are managed through the API alone. */
export const DOOR = 'api';
