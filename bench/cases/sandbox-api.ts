/** Sandboxes over the API, without the start of a command line around it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestControlPlane } from '../../test/control-plane.ts';
import { execIn } from '../exec-client.ts';

export type Server = { url: string; token: string };

export const serverOf = (control: TestControlPlane): Server => ({
  url: control.url,
  token: readFileSync(join(control.home, 'operator.token'), 'utf8').trim(),
});

async function call(server: Server, method: string, path: string, body?: unknown): Promise<{ id: string }> {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { id: string };
}

export const create = async (server: Server, request: Record<string, unknown> = {}): Promise<string> =>
  (await call(server, 'POST', 'sandboxes', request)).id;

const AT_ONCE = 4;

/** Makes so many, some at a time; gives their ids. */
export async function createMany(server: Server, count: number): Promise<string[]> {
  const ids: string[] = Array.from({ length: count });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) ids[at] = await create(server);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return ids;
}

export const remove = (server: Server, id: string): Promise<{ id: string }> =>
  call(server, 'DELETE', `sandboxes/${id}`);

/** Creates a sandbox and waits for the first output of a command in it; gives its id. */
export async function firstOutput(server: Server, request: Record<string, unknown> = {}): Promise<string> {
  const id = await create(server, request);
  await execIn(server, id, 'exec', { argv: ['/bin/echo', 'first'] });
  return id;
}

const LONGEST_WAIT_MS = 300_000;

/** Resolves when so much is ready in a pool of the driver. */
export async function untilReady(server: Server, count: number, pool = 'sandboxes'): Promise<void> {
  const ready = new RegExp(`^fumehood_pool_ready\\{pool="${pool}"\\} (\\d+)$`, 'm');
  const deadline = performance.now() + LONGEST_WAIT_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.token}` } });
    if (Number(ready.exec(await answer.text())?.[1]) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`there are no ${count} ${pool} ready`);
}

/** Settings of a control plane for many sandboxes of one small size, so many of them made ahead. */
export const manySmall = (ahead: number): Record<string, string> => ({
  FUMEHOOD_POOL_WARM: String(ahead),
  FUMEHOOD_POOL_TOTAL: String(ahead),
  FUMEHOOD_SANDBOX_DEFAULTS_MEMORY: '256m',
  FUMEHOOD_SANDBOX_DEFAULTS_DISK: '64m',
  FUMEHOOD_QUOTA_DEFAULTS_SANDBOXES: '10000',
  FUMEHOOD_QUOTA_DEFAULTS_CPUS: '10000',
  FUMEHOOD_QUOTA_DEFAULTS_MEMORY: '10t',
  FUMEHOOD_QUOTA_DEFAULTS_DISK: '10t',
});
