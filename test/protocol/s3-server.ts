/** The S3 door on two ports: one as people outside reach it, one as a sandbox does. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openKeyFile } from '#kernel/key-file.ts';
import { createS3Door } from '#src/doors/s3/s3-door.ts';
import type { Peer } from '#src/gateway/door.ts';
import { createAccessKeys, type IssuedKey } from '#src/objects/access-keys.ts';
import { openWorld, person, sandbox, type World } from '#src/objects/test-objects.ts';

export type S3Server = {
  world: World;
  outside: string;
  inside: string;
  /** Issues a key pair for ada. */
  issue(options: { readOnly?: boolean; ttlMs?: number; sandboxId?: string }): Promise<IssuedKey>;
  errors: string[];
  close(): Promise<void>;
};

export const SANDBOX_ID = 'sb-protocol';

/** Starts both; `close` stops them and removes all that they made. */
export async function startS3(given?: World): Promise<S3Server> {
  const world = given ?? (await openWorld());
  const { database, clock } = world;
  const keys = await openKeyFile({ folder: `${world.home}/keys`, keyName: 'objects', hasData: true });
  const accessKeys = createAccessKeys({ keys, database, clock });
  const errors: string[] = [];
  const door = createS3Door({
    gateway: world.gateway,
    objects: world.objects,
    identify: async () => sandbox(SANDBOX_ID, 'ada'),
    accessKeys,
    clock,
    log: (level, message, fields) => {
      if (level === 'error') errors.push(`${message} ${String(fields?.error)}`);
    },
  });
  let serial = 0;
  const listen = async (peer: Peer): Promise<{ server: Server; url: string }> => {
    const server = createServer((request, response) => {
      serial += 1;
      void door.handle({ request, response, peer, requestId: `req-${serial}`, hold: () => undefined });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const outside = await listen({ kind: 'external' });
  const inside = await listen({ kind: 'sandbox', sandboxId: SANDBOX_ID });
  const stop = (server: Server): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    world,
    outside: outside.url,
    inside: inside.url,
    errors,
    issue: async (options) => {
      const key = await accessKeys.issue({
        identity: person('ada'),
        readOnly: options.readOnly ?? false,
        ttlMs: options.ttlMs ?? 600_000,
        ...(options.sandboxId === undefined ? {} : { sandboxId: options.sandboxId }),
      });
      await database.transaction((tx) => key.save(tx));
      return key;
    },
    close: async () => {
      await stop(outside.server);
      await stop(inside.server);
      await world.close();
    },
  };
}
