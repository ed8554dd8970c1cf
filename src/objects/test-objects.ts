/** The objects domain over a real store, committer, gateway and folder, for tests; policy and log are the only simple ones. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ids } from '#kernel/ids.ts';
import { openKeyFile } from '#kernel/key-file.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import { type Database, rawSql } from '#kernel/sql.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createGateway, type Decider, type Gateway, type Identity } from '#src/gateway/crossing.ts';
import { createLineageRecorder } from '#src/lineage/record-lineage.ts';
import type { Question, Subject } from '#src/policies/decision.ts';
import type { BlobVault } from './blob.ts';
import { openBlobFolder } from './blob-folder.ts';
import type { BucketRules } from './bucket.ts';
import { createObjects, type Objects } from './create-objects.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import type { OpenObject } from './open-object.ts';

export type World = {
  home: string;
  keys: KeyProvider;
  database: Database;
  gateway: Gateway;
  vault: BlobVault;
  objects: Objects;
  deps: ObjectsDeps;
  entries: EntryDraft[];
  asked: Question[];
  clock: { nowMs(): number; advance(ms: number): void };
  /** What policy says from now on; everything is allowed at first. */
  policy: { allows: (question: Question, subject: Subject) => boolean };
  close(): Promise<void>;
};

/** The stores that tests run on: SQLite, and PostgreSQL when FUMEHOOD_TEST_POSTGRES names one. */
export const TEST_STORES: { name: string; url: string | undefined }[] = [
  { name: 'SQLite', url: undefined },
  ...(process.env.FUMEHOOD_TEST_POSTGRES === undefined
    ? []
    : [{ name: 'PostgreSQL', url: process.env.FUMEHOOD_TEST_POSTGRES }]),
];

/** Somebody to cross as. */
export const person = (user: string): Identity => ({
  type: 'user',
  id: user,
  user,
  roles: ['engineer'],
  scopes: ['*'],
  purpose: '',
});

export const sandbox = (id: string, user: string): Identity => ({ ...person(user), type: 'sandbox', id });

/** Opens a world in a folder of its own; `close` removes it. */
export async function openWorld(
  options: {
    url?: string | undefined;
    builtIn?: (deps: { vault: BlobVault }) => Record<string, BucketRules>;
    /** The real thing in place of `policy`. */
    decider?: Decider;
  } = {},
): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'fumehood-objects-'));
  const { database, drop } = await openStore(options.url, home);
  const clock = movableClock();
  const keys = await openKeyFile({ folder: join(home, 'keys'), keyName: 'objects', hasData: false });
  const vault = await openBlobFolder({ folder: join(home, 'objects'), keys, clock });
  const lineage = createLineageRecorder({ clock, activeRunOf: async () => undefined });
  const entries: EntryDraft[] = [];
  const asked: Question[] = [];
  const policy: World['policy'] = { allows: () => true };
  const ids = countingIds();
  const gateway = createGateway({
    database,
    committer: createCommitter({
      database,
      log: {
        begin: async () => undefined,
        append: async (_tx, drafts) => {
          entries.push(...drafts);
          return { committed: () => undefined, durable: () => undefined, wasCommitted: async () => true };
        },
      },
    }),
    decider: options.decider ?? {
      decide: async (_reader, { subject, questions }) => {
        asked.push(...questions);
        const refused = questions.find((question) => !policy.allows(question, subject));
        const reason = refused === undefined ? '' : `no rule allows ${refused.action} on ${refused.object.id}`;
        return { id: ids.next('decision'), allowed: refused === undefined, bundles: [], inputDigest: '', reason };
      },
      record: async () => undefined,
    },
    lineage,
    clock,
  });
  const builtIn = options.builtIn?.({ vault }) ?? { mlflow: { readOnly: false }, datasets: { readOnly: true } };
  const deps: ObjectsDeps = { gateway, database, vault, lineage, clock, ids, builtIn };
  const close = async (): Promise<void> => {
    await drop();
    await database.close();
    await rm(home, { recursive: true, force: true });
  };
  const objects = createObjects(deps);
  return { home, keys, database, gateway, vault, objects, deps, entries, asked, clock, policy, close };
}

function countingIds(): Ids {
  let serial = 0;
  return {
    next: (prefix) => {
      serial += 1;
      return `${prefix}-${serial.toString().padStart(8, '0')}`;
    },
  };
}

function movableClock(): World['clock'] {
  let offsetMs = 0;
  return {
    nowMs: () => Date.now() + offsetMs,
    advance: (ms) => {
      offsetMs += ms;
    },
  };
}

/** SQLite in the folder, or a schema of its own in the PostgreSQL that is there. */
async function openStore(
  url: string | undefined,
  home: string,
): Promise<{ database: Database; drop(): Promise<void> }> {
  if (url === undefined) {
    return { database: await openDatabase(`sqlite:${join(home, 'state.db')}`), drop: async () => undefined };
  }
  const schema = `test_${home
    .slice(-6)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '_')}`;
  const { openPostgres } = await import('#src/database/postgres.ts');
  const admin = openPostgres({ url, connections: 1 });
  await admin.transaction((tx) => tx.run(rawSql(`create schema ${schema}`)));
  const inSchema = new URL(url);
  inSchema.searchParams.set('options', `-c search_path=${schema}`);
  const drop = async (): Promise<void> => {
    await admin.transaction((tx) => tx.run(rawSql(`drop schema ${schema} cascade`)));
    await admin.close();
  };
  return { database: await openDatabase(inSchema.toString()), drop };
}

/** Bytes that can be told apart, of this length. */
export function patternBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** A body in pieces. */
export async function* inPieces(bytes: Uint8Array, pieceBytes = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** All bytes of an opened object. */
export const bytesOf = async ({ bytes, body }: OpenObject): Promise<Buffer> => bytes ?? collect(body);

/** All bytes of a stream. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
