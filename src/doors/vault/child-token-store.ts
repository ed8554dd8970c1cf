import { type Reader, sql, type Tx } from '#kernel/sql.ts';
import type { ChildToken } from './child-token.ts';

type TokenRow = {
  token_hash: string;
  accessor: string;
  subject: string;
  parent: Uint8Array;
  scopes: string;
  display_name: string;
  metadata: string;
  renewable: number;
  ttl_ms: number;
  max_ttl_ms: number;
  num_uses: number;
  uses_left: number;
  created_ms: number;
  expires_ms: number;
  revoked_ms: number | null;
};

/** The token with this SHA-256. */
export async function selectToken(reader: Reader, tokenHash: string): Promise<ChildToken | undefined> {
  const row = await reader.get<TokenRow>(sql`select * from vault_tokens where token_hash = ${tokenHash}`);
  if (row === undefined) return undefined;
  return {
    tokenHash: row.token_hash,
    accessor: row.accessor,
    subject: row.subject,
    parent: row.parent,
    scopes: JSON.parse(row.scopes),
    displayName: row.display_name,
    metadata: JSON.parse(row.metadata),
    renewable: row.renewable === 1,
    ttlMs: row.ttl_ms,
    maxTtlMs: row.max_ttl_ms,
    numUses: row.num_uses,
    usesLeft: row.uses_left,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
  };
}

/** Adds a token. */
export async function insertToken(tx: Tx, token: ChildToken): Promise<void> {
  await tx.run(sql`insert into vault_tokens (token_hash, accessor, subject, parent, scopes, display_name, metadata, renewable,
      ttl_ms, max_ttl_ms, num_uses, uses_left, created_ms, expires_ms, revoked_ms)
    values (${token.tokenHash}, ${token.accessor}, ${token.subject}, ${token.parent}, ${JSON.stringify(token.scopes)},
      ${token.displayName}, ${JSON.stringify(token.metadata)}, ${token.renewable ? 1 : 0}, ${token.ttlMs}, ${token.maxTtlMs},
      ${token.numUses}, ${token.usesLeft}, ${token.createdMs}, ${token.expiresMs}, ${token.revokedMs})`);
}

/** Changes until when a token is good. */
export async function updateToken(tx: Tx, token: ChildToken): Promise<void> {
  await tx.run(
    sql`update vault_tokens set expires_ms = ${token.expiresMs}, revoked_ms = ${token.revokedMs} where token_hash = ${token.tokenHash}`,
  );
}

/** Takes one use away; 0 when none was left. */
export async function takeUse(tx: Tx, tokenHash: string): Promise<number> {
  return tx.run(
    sql`update vault_tokens set uses_left = uses_left - 1 where token_hash = ${tokenHash} and uses_left > 0`,
  );
}

/** Forgets tokens a day after they expired. */
export async function deleteExpiredTokens(tx: Tx, nowMs: number): Promise<void> {
  await tx.run(sql`delete from vault_tokens where expires_ms < ${nowMs - 86_400_000}`);
}
