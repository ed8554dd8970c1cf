import { AppError } from '#kernel/errors.ts';

/** One open way out of a sandbox: closing it ends whatever it holds. */
export type Tunnel = {
  readonly closed: boolean;
  /** Ends this with the tunnel; at once when the tunnel is closed already. */
  holds(thing: { destroy(): unknown }): void;
  close(): void;
};

/** The open ways out, by sandbox, with a bound for each. */
export type Tunnels = {
  /** Throws `too_many_requests` when the sandbox has its fill. */
  open(sandboxId: string): Tunnel;
  /** Ends all of a sandbox, those that are just being opened too. */
  closeAll(sandboxId: string): void;
};

export function createTunnels(options: { maxPerSandbox: number }): Tunnels {
  const bySandbox = new Map<string, Set<Tunnel>>();

  const open = (sandboxId: string): Tunnel => {
    const all = bySandbox.get(sandboxId) ?? new Set<Tunnel>();
    if (all.size >= options.maxPerSandbox) {
      throw new AppError('too_many_requests', `This sandbox has ${all.size} connections open already.`, {
        details: { hint: 'Close some, or wait until they end.' },
      });
    }
    const held = new Set<{ destroy(): unknown }>();
    let closed = false;
    const tunnel: Tunnel = {
      get closed() {
        return closed;
      },
      holds: (thing) => {
        if (closed) thing.destroy();
        else held.add(thing);
      },
      close: () => {
        closed = true;
        for (const thing of held) thing.destroy();
        all.delete(tunnel);
        if (all.size === 0) bySandbox.delete(sandboxId);
      },
    };
    all.add(tunnel);
    bySandbox.set(sandboxId, all);
    return tunnel;
  };

  return {
    open,
    closeAll: (sandboxId) => {
      for (const tunnel of [...(bySandbox.get(sandboxId) ?? [])]) tunnel.close();
    },
  };
}
