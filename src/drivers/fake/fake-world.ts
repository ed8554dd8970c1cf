/** The host of the fake driver: what outlives one driver instance, in memory. */
import type { FileWatch, StartOptions } from '../driver.ts';

export type FakeSandbox = {
  options: StartOptions;
  state: 'running' | 'paused' | 'exited';
  files: Map<string, { content: Buffer; mode: number; modifiedMs: number }>;
  folders: Set<string>;
  running: Set<() => void>;
  watches: Set<FileWatch & { folder: string }>;
  lastExecEndMs: number;
};

/** What shall go wrong, and how often; a count goes down with each time. */
export type FakeFailures = {
  start: number;
  /** The agent of a sandbox that runs does not answer. */
  agentGone: Set<string>;
  /** Destroying leaves this behind, until it is taken out. */
  residue: Map<string, string>;
  recover: number;
};

export type FakeWorld = { sandboxes: Map<string, FakeSandbox>; failures: FakeFailures };

export const createFakeWorld = (): FakeWorld => ({
  sandboxes: new Map(),
  failures: { start: 0, agentGone: new Set(), residue: new Map(), recover: 0 },
});
