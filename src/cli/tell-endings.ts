import type { Context } from './command.ts';

type Ending = { name: string; expiresAt: string };

const SOON_MS = 10 * 60_000;

/** Tells which sandboxes end within ten minutes, and what moves the end. */
export function tellEndings({ out }: Pick<Context, 'out'>, sandboxes: readonly Ending[], nowMs: number): void {
  for (const { name, expiresAt } of sandboxes) {
    const leftMs = Date.parse(expiresAt) - nowMs;
    if (leftMs <= 0 || leftMs > SOON_MS) continue;
    const minutes = Math.max(1, Math.round(leftMs / 60_000));
    out.note(
      `${name} ends in ${minutes} min, with all that is in it; "fumehood sandbox keepalive ${name} --ttl 1h" moves the end`,
    );
  }
}
