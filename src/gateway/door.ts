/** The shape of a door: one protocol, translation only. Wire request → use case → wire response or wire error. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { BodyHold } from './body-budget.ts';

/** Where a connection came from: a sandbox's own listener (the connection is the identity), or the control plane's address. */
export type Peer = { kind: 'sandbox'; sandboxId: string } | { kind: 'external' };

/** One request on a door. */
export type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  peer: Peer;
  requestId: string;
  /** Accounts for bytes of the body that are kept in memory. Throws `too_many_requests`. */
  hold: BodyHold['hold'];
  /** The door says which row of its table serves the request, for log and metrics. */
  route?: string;
};

/** One row of a door's table: no row, no access. `path` uses `:name` for a segment and a last `*name` for the rest. */
export type DoorRoute = { method: string; path: string; action: string };

export type Door = {
  id: string;
  /** The TCP port inside every sandbox, on 127.0.0.1. */
  port: number;
  /** The table of what is served, each with its policy action. */
  routes: readonly DoorRoute[];
  /** Serves one request; answers errors in the protocol's own form and never throws. */
  handle(exchange: Exchange): Promise<void>;
  /** Serves CONNECT (the egress proxy alone). */
  connect?(exchange: {
    request: IncomingMessage;
    socket: Duplex;
    head: Buffer;
    peer: Peer;
    requestId: string;
  }): Promise<void>;
  /** True when clients send the verb LIST, which Node's parser refuses and the server rewrites to LINK. */
  listVerb?: boolean;
  /** Largest body that the door takes; the server refuses a longer Content-Length before the door sees it. */
  maxBodyBytes?: number;
};
