import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Context } from './command.ts';

/** Opens a link in the reader's browser when there is one: on a terminal, with a display. Never waits for it, never fails. */
export function showInBrowser(url: string, { out, env }: Pick<Context, 'out' | 'env'>): void {
  if (out.json || process.stdout.isTTY !== true || env.CI !== undefined) return;
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const hasDisplay = process.platform === 'darwin' || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined;
  if (!hasDisplay || !isOnPath(opener, env.PATH)) return;
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

function isOnPath(program: string, path: string | undefined): boolean {
  return (path ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
