import { z } from 'zod';
import { listSql, type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Token } from './token.ts';
import { Role } from './user.ts';

type TokenRow = Row & {
  id: string;
  user_name: string;
  name: string;
  scopes: string;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
  last_used_ms: number | null;
};

const Scopes = z.array(z.string());
const Roles = z.array(Role);

const fromRow = (row: TokenRow): Token => ({
  id: row.id,
  user: row.user_name,
  name: row.name,
  scopes: Scopes.parse(JSON.parse(row.scopes)),
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
  revokedMs: row.revoked_ms,
  lastUsedMs: row.last_used_ms,
});

/** Adds a token's record under the hash of the token. */
export async function insertToken(tx: Tx, token: Token, hash: string): Promise<void> {
  await tx.run(sql`insert into tokens (id, hash, user_name, name, scopes, created_ms, expires_ms, revoked_ms, last_used_ms)
    values (${token.id}, ${hash}, ${token.user}, ${token.name}, ${JSON.stringify(token.scopes)}, ${token.createdMs},
      ${token.expiresMs}, ${token.revokedMs}, ${token.lastUsedMs})`);
}

/** One token's record by its id. */
export async function selectToken(reader: Reader, id: string): Promise<Token | undefined> {
  const row = await reader.get<TokenRow>(sql`select * from tokens where id = ${id}`);
  return row === undefined ? undefined : fromRow(row);
}

/** What a token's hash stands for: the record, and its user's roles when the user may act. */
export async function selectTokenByHash(
  reader: Reader,
  hash: string,
): Promise<{ token: Token; hash: string; roles: Role[]; active: boolean } | undefined> {
  const row = await reader.get<
    TokenRow & { hash: string; roles: string; disabled: number; deleted_ms: number | null }
  >(sql`select tokens.*, users.roles, users.disabled, users.deleted_ms
    from tokens join users on users.name = tokens.user_name where tokens.hash = ${hash}`);
  if (row === undefined) return undefined;
  const active = row.disabled === 0 && row.deleted_ms === null;
  return { token: fromRow(row), hash: row.hash, roles: Roles.parse(JSON.parse(row.roles)), active };
}

/** A page of tokens' records by id, of one user or of all. */
export async function selectTokens(
  reader: Reader,
  options: { user: string | undefined; after: string; limit: number },
): Promise<Token[]> {
  const whose = options.user === undefined ? sql`` : sql`user_name = ${options.user} and `;
  const rows = await reader.all<TokenRow>(
    sql`select * from tokens where ${whose}id > ${options.after} order by id limit ${options.limit}`,
  );
  return rows.map(fromRow);
}

/** Ends a token. */
export async function revokeTokenRecord(tx: Tx, id: string, nowMs: number): Promise<void> {
  await tx.run(sql`update tokens set revoked_ms = ${nowMs} where id = ${id} and revoked_ms is null`);
}

/** Ends all tokens of a user; gives the ids of those that were valid. */
export async function revokeTokensOf(tx: Tx, user: string, nowMs: number): Promise<string[]> {
  const valid = await tx.all<{ id: string }>(
    sql`select id from tokens where user_name = ${user} and revoked_ms is null order by id`,
  );
  await tx.run(sql`update tokens set revoked_ms = ${nowMs} where user_name = ${user} and revoked_ms is null`);
  return valid.map((row) => row.id);
}

/** Notes when tokens were last used. */
export async function touchTokens(tx: Tx, ids: string[], nowMs: number): Promise<void> {
  await tx.run(sql`update tokens set last_used_ms = ${nowMs} where id in ${listSql(ids)}`);
}
