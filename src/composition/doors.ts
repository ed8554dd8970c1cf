/** The doors, their servers, and the addresses where people outside sandboxes reach them. */

import { createMlflowDoor } from '#src/doors/mlflow/mlflow-door.ts';
import { createS3Door } from '#src/doors/s3/s3-door.ts';
import { createVaultDoor } from '#src/doors/vault/vault-door.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Door, Exchange } from '#src/gateway/door.ts';
import { createEgressDoor, type EgressDoor } from '#src/gateway/egress/egress-door.ts';
import { createIdentify } from '#src/gateway/identify.ts';
import { createListeners, type Listeners } from '#src/gateway/listeners.ts';
import type { LiveSandboxes } from '#src/sandboxes/live-sandboxes.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { resolveVersionSource } from '#src/tracking/version-source.ts';
import type { Core } from './core.ts';
import { type Data, installationId } from './data.ts';

export type Doors = { listeners: Listeners; egress: EgressDoor; ports: Record<string, number> };

/** The ports inside every sandbox: what clients' own documentation shows. */
export const DOOR_PORTS: Record<string, number> = { mlflow: 5000, s3: 9000, vault: 8200, egress: 3128 };

const LONGEST_KEY_MS = 12 * 3_600_000;

export function openDoors(
  core: Core,
  data: Data,
  deps: {
    live: LiveSandboxes;
    authenticateToken: (token: string | undefined) => Promise<Identity>;
    version: string;
    watch: WatchRequest;
  },
): Doors {
  const { gateway, database, clock, ids, log, settings, home } = core;
  const { live } = deps;
  const sandboxIdentity = (id: string): Identity | undefined => live.get(id)?.identity;
  const identify = createIdentify({ sandboxIdentity, authenticateToken: deps.authenticateToken });
  const identifyExchange = (exchange: Exchange, credential?: string): Promise<Identity> =>
    identify(exchange.peer, credential);
  const egress = createEgressDoor({
    gateway,
    identify,
    grantsOf: (id) => live.get(id)?.sandbox.spec.egress ?? [],
    clock,
    log,
    config: {
      allowPrivate: settings['egress.allowPrivate'],
      ...(settings['egress.upstreamProxy'] === undefined ? {} : { upstreamProxy: settings['egress.upstreamProxy'] }),
    },
  });
  const doors: Door[] = [
    createMlflowDoor({
      gateway,
      objects: data.objects,
      identify: identifyExchange,
      lineage: core.lineage,
      resolveSource: (reader, source) => resolveVersionSource(core.lineage.labelsOf, reader, source),
      clock,
      ids,
      log,
      version: deps.version,
    }),
    createS3Door({
      gateway,
      objects: data.objects,
      identify: identifyExchange,
      accessKeys: data.accessKeys,
      clock,
      log,
    }),
    createVaultDoor({
      secrets: data.secrets,
      gateway,
      database,
      identify,
      issueAccessKey: ({ sandboxId }) => issueSandboxKey(core, data, live, sandboxId),
      clock,
      log,
      clusterId: installationId(home),
      version: deps.version,
    }),
    egress,
  ];
  return {
    listeners: createListeners({ doors, isServed: (id) => live.get(id) !== undefined, log, ids, watch: deps.watch }),
    egress,
    ports: DOOR_PORTS,
  };
}

/** The dynamic secret `secret/s3`: a key pair of the sandbox's own, which ends with it. */
async function issueSandboxKey(core: Core, data: Data, live: LiveSandboxes, sandboxId: string) {
  const found = live.get(sandboxId);
  if (found === undefined) throw new Error(`sandbox ${sandboxId} is not running`);
  const ttlMs = Math.max(1000, Math.min(LONGEST_KEY_MS, found.sandbox.expiresMs - core.clock.nowMs()));
  const issued = await data.accessKeys.issue({ identity: found.identity, sandboxId, readOnly: false, ttlMs });
  await core.gateway.system({
    action: 'access-key.issue',
    object: { kind: 'sandbox', id: sandboxId },
    requestId: core.ids.next('req'),
    act: (tx) => issued.save(tx),
  });
  const { accessKeyId, secretAccessKey, expiresMs } = issued;
  return { accessKeyId, secretAccessKey, endpoint: `http://localhost:${DOOR_PORTS.s3}`, expiresAtMs: expiresMs };
}
