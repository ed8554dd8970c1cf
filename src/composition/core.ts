/** Store, keys, audit log, policy and gateway: what everything else stands on. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type WatchedClock, watchClock } from '#kernel/clock.ts';
import { type Ids, randomIds } from '#kernel/ids.ts';
import { type KeyFile, openKeyFile } from '#kernel/key-file.ts';
import type { Log } from '#kernel/log.ts';
import type { Database } from '#kernel/sql.ts';
import { approvalsInForce } from '#src/approvals/approval-store.ts';
import { type AuditLog, openAuditLog } from '#src/audit/audit-log.ts';
import { selectSize } from '#src/audit/audit-store.ts';
import { createSigner, type Signer } from '#src/audit/checkpoint.ts';
import { type Committer, createCommitter } from '#src/audit/committer.ts';
import { loadLogKey, logKeyPath, logOrigin } from '#src/audit/log-key.ts';
import { refuseOlderStore } from '#src/audit/refuse-older-store.ts';
import { createTilePublisher, type TilePublisher } from '#src/audit/tile-publisher.ts';
import { checkKeys } from '#src/composition/check-keys.ts';
import { selectNewestTime } from '#src/composition/clock-store.ts';
import type { Settings } from '#src/config/schema.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createGateway, type Gateway } from '#src/gateway/crossing.ts';
import { type CrossingWatch, watchCrossings } from '#src/http/watch-crossings.ts';
import { createLineageRecorder, type Lineage } from '#src/lineage/record-lineage.ts';
import { anyBlob } from '#src/objects/object-store.ts';
import { createDecider } from '#src/policies/decide.ts';
import { openPolicies } from '#src/policies/open-policies.ts';
import type { PolicyRegistry } from '#src/policies/policy-registry.ts';
import { anySecretValue } from '#src/secrets/secret-store.ts';
import { countBatch, countEntries, timeDecisions } from '#src/telemetry/count-entries.ts';
import { createGatewayTracing } from '#src/telemetry/trace-gateway.ts';
import { activeRunOf } from '#src/tracking/active-run-store.ts';
import { QUOTA_DEFAULTS, type QuotaDefaults } from '#src/usage/quota.ts';
import { createQuotas, type Quotas } from '#src/usage/reserve-quota.ts';
import { ATTESTED } from './attested-tables.ts';
import { openTelemetry, type Telemetry } from './telemetry.ts';

export type Core = {
  home: string;
  settings: Settings;
  clock: WatchedClock;
  ids: Ids;
  log: Log;
  telemetry: Telemetry;
  database: Database;
  databaseUrl: string;
  keys: KeyFile;
  auditLog: AuditLog;
  signer: Signer;
  tiles: TilePublisher;
  committer: Committer;
  registry: PolicyRegistry;
  quotas: Quotas;
  quotaDefaults: QuotaDefaults;
  lineage: Lineage;
  gateway: Gateway;
  crossings: CrossingWatch;
  /** Calls back when a sandbox takes over a label, before that is committed. */
  onLabelled(listener: (sandboxId: string) => void): void;
  close(): Promise<void>;
};

/** Opens the core of a home. Everything in it fails closed: a key, a log or a store that does not fit stops the start. */
export async function openCore(options: {
  home: string;
  settings: Settings;
  env: NodeJS.ProcessEnv;
  version: string;
}): Promise<Core> {
  const { home, settings } = options;
  const clock = watchClock();
  const ids = randomIds;
  const telemetry = await openTelemetry({ settings, home }, options.env, options.version);
  for (const folder of ['', 'keys', 'audit']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  const databaseUrl = settings['database.url'] ?? `sqlite:${join(home, 'state.db')}`;
  const database = await openDatabase(databaseUrl, {
    timeoutMs: settings['database.timeout'],
  });
  try {
    return await buildCore({ home, settings, clock, ids, telemetry, database, databaseUrl });
  } catch (error) {
    // A start that is refused holds no connection any longer.
    await database.close();
    await telemetry.close();
    throw error;
  }
}

type Opened = Pick<Core, 'home' | 'settings' | 'clock' | 'ids' | 'telemetry' | 'database' | 'databaseUrl'>;

async function buildCore(opened: Opened): Promise<Core> {
  const { home, settings, clock, ids, telemetry, database } = opened;
  const { log, metrics } = telemetry;
  const size = await database.read(selectSize);
  clock.notBefore((await database.read(selectNewestTime)) ?? 0);
  const signer = createSigner(logOrigin(home), loadLogKey(logKeyPath(home), { logIsEmpty: size === 0 }));
  const auditLog = await openAuditLog({ database, signer, clock });
  refuseOlderStore(join(home, 'audit'), signer.publicKey, auditLog.size());
  const hasData = await hasSealedData(database);
  const keys = await openKeyFile({ folder: join(home, 'keys'), keyName: 'fumehood', hasData });
  await checkKeys(database, keys, hasData);
  const tiles = createTilePublisher({ database, folder: join(home, 'audit'), publicKey: signer.publicKey, log, clock });
  auditLog.onCommitted(tiles.notify);
  tiles.notify();
  const committer = createCommitter({
    database,
    log: countEntries(auditLog, metrics),
    onBatch: (batch) => countBatch(metrics, batch),
  });
  const registry = await openPolicies({ database, clock });
  const quotaDefaults = quotaDefaultsOf(settings);
  const quotas = createQuotas({ defaults: quotaDefaults });
  const labelled: ((sandboxId: string) => void)[] = [];
  const lineage = tellingLabels(createLineageRecorder({ clock, activeRunOf }), labelled);
  const tracing = telemetry.tracer === undefined ? undefined : createGatewayTracing(telemetry.tracer);
  const timed = timeDecisions(
    createDecider({ registry, clock, ids, approvalsInForce, usageOf: quotas.usageOf }),
    metrics,
  );
  const decider = tracing?.decider(timed) ?? timed;
  const plain = createGateway({ database, committer, decider, lineage, clock, attested: ATTESTED });
  const { gateway, crossings } = watchCrossings(tracing?.gateway(plain) ?? plain);
  return {
    ...opened,
    log,
    keys,
    auditLog,
    signer,
    tiles,
    committer,
    registry,
    quotas,
    quotaDefaults,
    lineage,
    gateway,
    crossings,
    onLabelled: (listener) => labelled.push(listener),
    close: async () => {
      await committer.drain();
      await tiles.close();
      await database.close();
      await telemetry.close();
    },
  };
}

/** The recorder, telling whoever listens when a sandbox takes over a label. */
const tellingLabels = (lineage: Lineage, listeners: readonly ((sandboxId: string) => void)[]): Lineage => ({
  ...lineage,
  addLabels: async (tx, node, labels) => {
    await lineage.addLabels(tx, node, labels);
    if (node.kind === 'sandbox') for (const listener of listeners) listener(node.id);
  },
});

/** Whether anything in the store was sealed under the key: then a missing key is an error, and never a new one. */
const hasSealedData = (database: Database): Promise<boolean> =>
  database.read(async (reader) => (await anyBlob(reader)) || (await anySecretValue(reader)));

function quotaDefaultsOf(settings: Settings): QuotaDefaults {
  const user = {
    sandboxes: settings['quota.defaults.sandboxes'],
    cpus: settings['quota.defaults.cpus'],
    memoryBytes: settings['quota.defaults.memory'],
    diskBytes: settings['quota.defaults.disk'],
    gpus: settings['quota.defaults.gpus'],
  };
  const team = Object.fromEntries(
    Object.entries(QUOTA_DEFAULTS.team).map(([name, value]) => [
      name,
      Math.max(value, 5 * user[name as keyof typeof user]),
    ]),
  );
  return { user, team: team as QuotaDefaults['team'] };
}
