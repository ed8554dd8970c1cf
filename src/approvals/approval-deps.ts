/** What the use cases of approvals are handed by the composition root. */
import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';

export type ApprovalDeps = {
  gateway: Pick<Gateway, 'cross'>;
  clock: Clock;
  ids: Ids;
  /** The tags of a data set over all of its versions; undefined when there is none of that name. */
  tagsOfDataset(reader: Reader, name: string): Promise<string[] | undefined>;
};

/** Who calls, and through which request. */
export type Caller = { identity: Identity; requestId: string };
