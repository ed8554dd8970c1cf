import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Database } from '#kernel/sql.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import type { Question } from '#src/policies/decision.ts';
import { selectEntries, selectEntryRows, selectLatestCheckpoint } from './audit-store.ts';
import { type EntryView, viewEntry } from './entry.ts';
import { erasePersonal } from './erase-personal.ts';
import { proveEntry } from './prove-entry.ts';
import { encodeBundle } from './tiles.ts';
import type { LogVerification } from './verify-log.ts';

const Entry = z.object({
  seq: z.number(),
  time: z.string(),
  actor: z.object({ type: z.string(), id: z.string(), user: z.string().optional() }),
  action: z.string(),
  object: z.object({
    kind: z.string(),
    id: z.string(),
    name: z.string().optional(),
    version: z.string().optional(),
    digest: z.string().optional(),
  }),
  decision: z
    .object({ id: z.string(), allowed: z.boolean(), bundles: z.array(z.string()), inputDigest: z.string() })
    .nullable(),
  outcome: z.string(),
  requestId: z.string(),
  door: z.string().optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  leafHash: z.string(),
});

const time = z.string().transform((text, context) => {
  const ms = Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  context.addIssue({ code: 'custom', message: 'a time as 2026-01-31T12:00:00Z' });
  return z.NEVER;
});

const ListQuery = z.object({
  ...pageQuery,
  user: z.string().optional(),
  actor: z.string().optional().describe('user name or sandbox id'),
  action: z.string().optional().describe('an action, or the noun before its dot'),
  object: z.string().optional().describe('KIND or KIND:ID'),
  outcome: z.enum(['ok', 'denied', 'failed']).optional(),
  requestId: z.string().optional(),
  since: time.optional(),
  until: time.optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
});
const Finding = z.object({ seq: z.number().optional(), what: z.string() });
const Verification = z.object({
  ok: z.boolean(),
  size: z.number(),
  root: z.string(),
  findings: z.array(Finding),
  rows: z.number().optional().describe('how many rows of the database were compared with what entries say of them'),
  publicKey: z.string(),
});
const Seq = z.object({ seq: z.coerce.number().int().min(0) });

const asked = (action: string, id: string) => async (): Promise<Question[]> => [
  { action, resource: 'audit', object: { type: 'audit', id, labels: [] } },
];

type Deps = {
  database: Database;
  publicKey: string;
  flushTiles: () => Promise<void>;
  /** Verifies the whole log, against a retained checkpoint where one is given. */
  verify: (retained: string | undefined) => Promise<LogVerification>;
  size: () => number;
};

/** The REST routes of the audit log. */
export function auditRoutes(deps: Deps): Route[] {
  return [...readRoutes(), ...proofRoutes(deps), eraseRoute()];
}

function readRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/audit',
      action: 'audit.read',
      resource: 'audit',
      summary: 'Entries of the audit log, newest first',
      query: ListQuery,
      response: pageOf(Entry),
      handle: async ({ query, cross }) => {
        const { limit, cursor, order, since, until, ...filter } = query;
        const rows = await cross({
          object: { kind: 'audit', id: 'entries' },
          ask: asked('audit.read', 'entries'),
          act: (tx) => {
            const at = cursor === undefined ? undefined : Number(decodeCursor(cursor)[0]);
            return selectEntries(
              tx,
              { ...filter, sinceMs: since, untilMs: until },
              { cursor: at, ascending: order === 'asc', limit: limit + 1 },
            );
          },
        });
        const items: EntryView[] = [];
        for (const row of rows.slice(0, limit)) {
          await yieldLongTurn();
          items.push(viewEntry(row.leaf, row.openings, row.leafHash.toString('hex')));
        }
        const last = items.at(-1);
        return { items, next: rows.length > limit && last !== undefined ? encodeCursor([last.seq]) : null };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/audit/entries/:seq',
      action: 'audit.read',
      resource: 'audit',
      summary: 'One entry',
      params: Seq,
      response: Entry,
      handle: ({ params, cross }) =>
        cross({
          object: { kind: 'audit', id: String(params.seq) },
          ask: asked('audit.read', String(params.seq)),
          act: async (tx) => {
            const [row] = await selectEntryRows(tx, params.seq, params.seq + 1);
            if (row === undefined) throw new AppError('not_found', `The audit log has no entry ${params.seq}.`);
            return viewEntry(row.leaf, row.openings, row.leafHash.toString('hex'));
          },
        }),
    }),
  ];
}

function proofRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/audit/verify',
      action: 'audit.verify',
      resource: 'audit',
      summary: 'Compare store, tiles and checkpoints; name the first wrong entry',
      body: z.strictObject({ checkpoint: z.string().max(10_000).optional().describe('a retained checkpoint') }),
      response: Verification,
      handle: async ({ body, cross }) => {
        await cross({
          object: { kind: 'audit', id: 'log' },
          ask: asked('audit.verify', 'log'),
          act: async () => undefined,
        });
        // Tiles that cannot be written now are compared as they are: verification says what is wrong with them.
        await deps.flushTiles().catch(() => undefined);
        return { ...(await deps.verify(body.checkpoint)), publicKey: deps.publicKey };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/audit/entries/:seq/proof',
      action: 'audit.prove',
      resource: 'audit',
      summary: 'Prove that an entry is in the log',
      params: Seq,
      response: z.object({
        seq: z.number(),
        size: z.number(),
        leaf: z.string(),
        leafHash: z.string(),
        proof: z.array(z.string()),
        checkpoint: z.string(),
        publicKey: z.string(),
      }),
      handle: async ({ params, cross }) => {
        const proof = await cross({
          object: { kind: 'audit', id: String(params.seq) },
          ask: asked('audit.prove', String(params.seq)),
          act: (tx) => proveEntry(tx, params.seq),
        });
        return { ...proof, publicKey: deps.publicKey };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/audit/checkpoint',
      action: 'audit.read',
      resource: 'audit',
      summary: 'The newest checkpoint (a signed note) and the key that checks it',
      response: z.object({ checkpoint: z.string(), publicKey: z.string() }),
      handle: async ({ cross }) => {
        const latest = await cross({
          object: { kind: 'audit', id: 'checkpoint' },
          ask: asked('audit.read', 'checkpoint'),
          act: (tx) => selectLatestCheckpoint(tx),
        });
        return { checkpoint: latest?.note ?? '', publicKey: deps.publicKey };
      },
    }),
    exportRoute(deps),
  ];
}

/** Everything that offline verification needs, a bundle of 256 entries at a time: the client writes the tiles, which follow from the entries. */
function exportRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/audit/export',
    action: 'audit.export',
    resource: 'audit',
    summary:
      'The whole log as of the newest checkpoint: one JSON line for the checkpoint, then one a bundle of 256 entries',
    response: 'stream',
    handle: async ({ cross, raw }) => {
      const latest = await cross({
        object: { kind: 'audit', id: 'log' },
        ask: asked('audit.export', 'log'),
        act: (tx) => selectLatestCheckpoint(tx),
      });
      const size = latest?.size ?? 0;
      raw.response.writeHead(200, { 'content-type': 'application/jsonl' });
      raw.response.write(`${JSON.stringify({ size, checkpoint: latest?.note ?? '', publicKey: deps.publicKey })}\n`);
      for (let from = 0; from < size; from += 256) {
        const rows = await deps.database.read((reader) => selectEntryRows(reader, from, Math.min(size, from + 256)));
        const line = `${JSON.stringify({ from, bundle: encodeBundle(rows.map((row) => row.leaf)).toString('base64') })}\n`;
        if (!raw.response.write(line)) await new Promise((resolve) => raw.response.once('drain', resolve));
      }
      raw.response.end();
      return undefined;
    },
  });
}

function eraseRoute(): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/audit/personal/:user',
    action: 'audit.erase',
    resource: 'audit',
    summary: "Erase a person's name from all entries; every proof stays valid",
    params: z.object({ user: z.string().min(1).max(200) }),
    response: z.object({ asActor: z.number(), asObject: z.number() }),
    handle: ({ params, cross }) =>
      cross({
        // The entry about it must not name who is forgotten.
        object: { kind: 'audit', id: 'personal' },
        ask: asked('audit.erase', 'personal'),
        act: async (tx, crossing) => {
          const { asActor, asObject } = await erasePersonal(tx, params.user);
          crossing.detail('asActor', asActor);
          crossing.detail('asObject', asObject);
          return { asActor, asObject };
        },
      }),
  });
}
