/** Secrets over a real store, gateway and key file, for tests. */
import { join } from 'node:path';
import { randomIds } from '#kernel/ids.ts';
import { openKeyFile } from '#kernel/key-file.ts';
import { openTestGateway, type TestGateway } from '#src/gateway/test-gateway.ts';
import { createSecrets, type Secrets } from './create-secrets.ts';

/** Opens them in a folder of their own; `close` removes it. */
export async function openTestSecrets(url?: string): Promise<TestGateway & { secrets: Secrets }> {
  const world = await openTestGateway(url);
  const keys = await openKeyFile({ folder: join(world.home, 'keys'), keyName: 'secrets', hasData: false });
  const { gateway, database, lineage, clock } = world;
  return { ...world, secrets: createSecrets({ gateway, database, lineage, keys, ids: randomIds, clock }) };
}
