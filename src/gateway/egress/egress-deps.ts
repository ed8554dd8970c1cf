import type { Clock } from '#kernel/clock.ts';
import type { Log } from '#kernel/log.ts';
import type { Gateway } from '#src/gateway/crossing.ts';
import type { Identify } from '#src/gateway/identify.ts';
import type { Resolve } from './dial.ts';

/** What an operator may set. */
export type EgressConfig = {
  /** `address:port` pairs that may be reached though they are private, such as a package index of one's own. */
  allowPrivate?: readonly string[];
  /** `http://[user:password@]host:port` when this host itself reaches the internet only through a proxy. */
  upstreamProxy?: string;
  maxTunnelsPerSandbox?: number;
  idleTimeoutMs?: number;
  dialTimeoutMs?: number;
  /** Time for the first bytes of TLS to arrive. */
  helloTimeoutMs?: number;
};

export type EgressDeps = {
  gateway: Pick<Gateway, 'cross' | 'check' | 'refuse' | 'system'>;
  identify: Identify;
  /** The hosts that the sandbox's spec grants. */
  grantsOf: (sandboxId: string) => readonly { host: string; port: number }[];
  clock: Clock;
  log: Log;
  config?: EgressConfig;
  /** Both are the host's own unless a test says otherwise. */
  resolve?: Resolve;
  ownAddresses?: () => string[];
};

export const EGRESS_DEFAULTS = {
  maxTunnelsPerSandbox: 64,
  idleTimeoutMs: 300_000,
  dialTimeoutMs: 10_000,
  helloTimeoutMs: 10_000,
};
