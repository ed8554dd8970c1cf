import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';

/** Who asks, through which door, under which request id. */
export type Caller = { identity: Identity; door: string; requestId: string };

export type TrackingDeps = {
  gateway: Pick<Gateway, 'cross'>;
  lineage: {
    labelsOf(reader: Reader, nodes: NodeRef[]): Promise<string[]>;
    /** Keeps what a user states, apart from what was observed. */
    declare(
      tx: Tx,
      edge: {
        thing: NodeRef;
        subject: NodeRef;
        direction: 'in' | 'out';
        relation: string;
        requestId: string;
        runId: string;
      },
    ): Promise<void>;
  };
  clock: Clock;
  ids: Ids;
};
