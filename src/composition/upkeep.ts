/** What an installation needs to live long: backups, restored homes, keys that change. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { backupRoutes } from '#src/backups/backup-routes.ts';
import { RESTORED } from '#src/backups/restore-backup.ts';
import { COPY_PREFIX } from '#src/backups/write-backup.ts';
import type { Route } from '#src/http/route.ts';
import { keyRoutes } from '#src/keys/key-routes.ts';
import { finishRotation, type RotateDeps } from '#src/keys/rotate-key.ts';
import { accessKeyKeys } from '#src/objects/access-key-store.ts';
import { blobKeys } from '#src/objects/blob-key-store.ts';
import type { SandboxDeps } from '#src/sandboxes/sandbox-deps.ts';
import { insertSandboxEvent, selectSandboxesInStates, updateSandboxState } from '#src/sandboxes/sandbox-store.ts';
import { secretKeys } from '#src/secrets/secret-key-store.ts';
import type { Core } from './core.ts';
import type { Data } from './data.ts';

const rotation = ({ gateway, database, keys, ids }: Core): RotateDeps => ({
  gateway,
  database,
  keys,
  ids,
  stores: [blobKeys, accessKeyKeys, secretKeys],
});

/** The routes of backups and keys. */
export function upkeepRoutes(core: Core, data: Data, version: string): Route[] {
  const { gateway, home, settings, signer, clock } = core;
  const source = () => ({
    home,
    databaseUrl: settings['database.url'],
    publicKey: signer.publicKey,
    program: version,
    nowMs: clock.nowMs(),
    hold: data.vault.hold,
  });
  return [...backupRoutes({ gateway, source }), ...keyRoutes(rotation(core))];
}

/** What a backup that was broken off has left in the home. */
function removeCopies(home: string): void {
  for (const name of readdirSync(home).filter((one) => one.startsWith(COPY_PREFIX))) rmSync(join(home, name));
}

/** At each start, before anything is served: ends a rotation that was broken off and retires keys that nothing needs. */
export async function keepKeys(core: Core): Promise<void> {
  removeCopies(core.home);
  const retired = await finishRotation(rotation(core));
  if (retired.length > 0) core.log('info', 'versions of the key were retired', { retired });
}

/**
 * The first start of a restored home: the sandboxes of the store ran elsewhere, perhaps still do, and are not this home's to recover or to
 * end. They become deleted, with their keys, in one entry of the log that says what was restored.
 */
export async function takeOverRestored(core: Core, data: Data, sandboxes: Pick<SandboxDeps, 'quotas'>): Promise<void> {
  const marker = join(core.home, RESTORED);
  if (!existsSync(marker)) return;
  const { size, root, createdAt } = JSON.parse(readFileSync(marker, 'utf8')) as Record<string, string | number>;
  await core.gateway.system({
    action: 'backup.restore',
    object: { kind: 'backup', id: String(root) },
    requestId: core.ids.next('req'),
    details: { size: size ?? 0, createdAt: createdAt ?? '' },
    act: async (tx, { attest }) => {
      const nowMs = core.clock.nowMs();
      const reason = 'it ran where the backup was made';
      const states = ['starting', 'running', 'stopping', 'stopped', 'deleting', 'failed'] as const;
      for (const { id } of await selectSandboxesInStates(tx, states)) {
        await updateSandboxState(tx, id, { state: 'deleted', reason, endedMs: nowMs });
        attest('sandbox', id);
        await insertSandboxEvent(tx, id, { atMs: nowMs, kind: 'deleted', message: reason });
        await sandboxes.quotas.release(tx, id);
        await data.accessKeys.revokeOf(tx, id);
      }
    },
  });
  rmSync(marker);
}
