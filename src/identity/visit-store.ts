import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Ticket, Visit } from './visit.ts';

/** Adds a ticket under its hash. */
export async function insertTicket(tx: Tx, hash: string, ticket: Ticket, nowMs: number): Promise<void> {
  await tx.run(sql`insert into visit_tickets (hash, site, token_hash, path, created_ms, expires_ms, used_ms)
    values (${hash}, ${ticket.site}, ${ticket.tokenHash}, ${ticket.path}, ${nowMs}, ${ticket.expiresMs}, ${ticket.usedMs})`);
}

type TicketRow = Row & {
  site: string;
  token_hash: string;
  path: string;
  expires_ms: number;
  used_ms: number | null;
};

/** A ticket by its hash, used and expired ones too. */
export async function selectTicket(reader: Reader, hash: string): Promise<Ticket | undefined> {
  const row = await reader.get<TicketRow>(
    sql`select site, token_hash, path, expires_ms, used_ms from visit_tickets where hash = ${hash}`,
  );
  if (row === undefined) return undefined;
  return {
    site: row.site,
    tokenHash: row.token_hash,
    path: row.path,
    expiresMs: row.expires_ms,
    usedMs: row.used_ms,
  };
}

/** Uses a ticket up; false when somebody did before. */
export async function useTicket(tx: Tx, hash: string, nowMs: number): Promise<boolean> {
  const changed = await tx.run(
    sql`update visit_tickets set used_ms = ${nowMs} where hash = ${hash} and used_ms is null`,
  );
  return changed === 1;
}

/** Adds a visit under the hash of its cookie. */
export async function insertVisit(tx: Tx, hash: string, visit: Visit, nowMs: number): Promise<void> {
  await tx.run(sql`insert into visits (hash, site, token_hash, created_ms, expires_ms)
    values (${hash}, ${visit.site}, ${visit.tokenHash}, ${nowMs}, ${visit.expiresMs})`);
}

/** A visit by the hash of its cookie. */
export async function selectVisit(reader: Reader, hash: string): Promise<Visit | undefined> {
  const row = await reader.get<Row & { site: string; token_hash: string; expires_ms: number }>(
    sql`select site, token_hash, expires_ms from visits where hash = ${hash}`,
  );
  return row === undefined ? undefined : { site: row.site, tokenHash: row.token_hash, expiresMs: row.expires_ms };
}

/** Forgets visits that are over, and tickets an hour after they could last be used (until then they are refused by their reason). */
export async function deleteOldVisits(tx: Tx, nowMs: number): Promise<void> {
  await tx.run(sql`delete from visits where expires_ms < ${nowMs}`);
  await tx.run(sql`delete from visit_tickets where expires_ms < ${nowMs - 3_600_000}`);
}
