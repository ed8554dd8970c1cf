import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Gateway } from '#src/gateway/crossing.ts';
import { type Route, route } from '#src/http/route.ts';
import { type BackupSource, writeBackup } from './write-backup.ts';

type Deps = {
  gateway: Gateway;
  source: () => BackupSource;
};

/** `POST /api/v1/backups`: the store and its blobs as of now, as the beginning of a tar file. Keys never leave the machine this way. */
export function backupRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/backups',
      action: 'backup.create',
      resource: 'audit',
      summary:
        'Stream a backup of the store and of all blobs, without keys; the end of the tar file is left to the reader',
      body: z.strictObject({}),
      response: 'stream',
      handle: async ({ cross, raw, requestId }) => {
        await cross({
          object: { kind: 'backup', id: 'home' },
          ask: async () => [
            { action: 'backup.create', resource: 'audit', object: { type: 'backup', id: 'home', labels: [] } },
          ],
          act: async () => undefined,
        });
        raw.response.writeHead(200, { 'content-type': 'application/x-tar' });
        await pipeline(Readable.from(told(deps, requestId), { objectMode: false }), raw.response);
        return undefined;
      },
    }),
  ];
}

/** The bytes; what the backup came to is in the log, so that a copy can be told from a forged one. */
async function* told(deps: Deps, requestId: string): AsyncGenerator<Buffer> {
  const manifest = yield* writeBackup(deps.source());
  const { size, root } = manifest.log;
  await deps.gateway.system({
    action: 'backup.written',
    object: { kind: 'backup', id: manifest.digests },
    requestId,
    details: { size, root, blobs: manifest.blobs.count, bytes: manifest.blobs.bytes },
    act: async () => undefined,
  });
}
