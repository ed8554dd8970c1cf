import { z } from 'zod';
import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';

/** Which bundles were asked about one input: the default one first, then bound policies by name and version. */
export const Asked = z.object({
  default: z.string(),
  policies: z.array(z.object({ name: z.string(), version: z.number(), digest: z.string() })),
});
export type Asked = z.infer<typeof Asked>;

/** A decision as it is kept: `inputs` is the JSON text of all inputs, `asked` is parallel to it. Time in ms. */
export type StoredDecision = {
  id: string;
  atMs: number;
  user: string;
  requestId: string;
  allowed: boolean;
  reason: string;
  inputs: string;
  asked: Asked[];
};

/** Keeps a decision. */
export async function insertDecision(tx: Tx, decision: StoredDecision): Promise<void> {
  await tx.run(sql`insert into decisions (id, at_ms, user_name, request_id, allowed, reason, inputs, bundles)
    values (${decision.id}, ${decision.atMs}, ${decision.user}, ${decision.requestId}, ${decision.allowed ? 1 : 0},
      ${decision.reason}, ${decision.inputs}, ${JSON.stringify(decision.asked)})`);
}

type DecisionRow = Row & {
  id: string;
  at_ms: number;
  user_name: string;
  request_id: string;
  allowed: number;
  reason: string;
  inputs: string;
  bundles: string;
};

/** One decision by its id. */
export async function selectDecision(reader: Reader, id: string): Promise<StoredDecision | undefined> {
  const row = await reader.get<DecisionRow>(sql`select * from decisions where id = ${id}`);
  if (row === undefined) return undefined;
  return {
    id: row.id,
    atMs: row.at_ms,
    user: row.user_name,
    requestId: row.request_id,
    allowed: row.allowed === 1,
    reason: row.reason,
    inputs: row.inputs,
    asked: z.array(Asked).parse(JSON.parse(row.bundles)),
  };
}
