/** What must be known of running sandboxes at every crossing, in memory: fed by start, recovery and end. */
import type { Handle } from '#src/drivers/driver.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Sandbox } from './sandbox.ts';

export type LiveSandbox = {
  sandbox: Sandbox;
  handle: Handle;
  identity: Identity;
  /** Execs that run now, with what ends them. */
  execs: Set<() => void>;
  /** How many folders of it are watched now. */
  watches: number;
  lastActiveMs: number;
  /** When and at how many cpu seconds the CPU was last looked at. */
  cpu: { atMs: number; seconds: number } | undefined;
  /** When its notebook server was last asked whether kernels work. */
  kernelsAskedMs: number;
};

export type LiveSandboxes = {
  add(sandbox: Sandbox, handle: Handle, nowMs: number): LiveSandbox;
  get(id: string): LiveSandbox | undefined;
  remove(id: string): void;
  all(): LiveSandbox[];
};

/** The identity of whatever runs in a sandbox: it acts for its owner, narrowed to what it was granted. */
export const identityOfSandbox = (sandbox: Sandbox): Identity => ({
  type: 'sandbox',
  id: sandbox.id,
  user: sandbox.owner,
  roles: sandbox.roles,
  scopes: sandbox.spec.scopes,
  purpose: sandbox.spec.purpose,
});

export function createLiveSandboxes(): LiveSandboxes {
  const live = new Map<string, LiveSandbox>();
  return {
    add: (sandbox, handle, nowMs) => {
      const one: LiveSandbox = {
        sandbox,
        handle,
        identity: identityOfSandbox(sandbox),
        execs: new Set(),
        watches: 0,
        lastActiveMs: nowMs,
        cpu: undefined,
        kernelsAskedMs: 0,
      };
      live.set(sandbox.id, one);
      return one;
    },
    get: (id) => live.get(id),
    remove: (id) => {
      for (const end of live.get(id)?.execs ?? []) end();
      live.delete(id);
    },
    all: () => [...live.values()],
  };
}
