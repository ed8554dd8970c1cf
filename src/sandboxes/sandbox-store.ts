import { listSql, type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Handle } from '#src/drivers/driver.ts';
import { type Sandbox, SandboxSpec, type SandboxState } from './sandbox.ts';

type SandboxRow = Row & {
  id: string;
  name: string;
  owner: string;
  team: string;
  roles: string;
  state: SandboxState;
  spec: string;
  handle: string | null;
  created_ms: number;
  begun_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  expires_ms: number;
  last_active_ms: number;
  reason: string;
};

const fromRow = (row: SandboxRow): Sandbox => ({
  id: row.id,
  name: row.name,
  owner: row.owner,
  team: row.team,
  roles: JSON.parse(row.roles) as string[],
  state: row.state,
  spec: SandboxSpec.parse(JSON.parse(row.spec)),
  handle: row.handle === null ? null : (JSON.parse(row.handle) as Handle),
  createdMs: row.created_ms,
  begunMs: row.begun_ms,
  startedMs: row.started_ms,
  endedMs: row.ended_ms,
  expiresMs: row.expires_ms,
  lastActiveMs: row.last_active_ms,
  reason: row.reason,
});

/** Adds a sandbox as admitted. */
export async function insertSandbox(tx: Tx, sandbox: Sandbox): Promise<void> {
  await tx.run(sql`insert into sandboxes (id, name, owner, team, roles, state, spec, handle, created_ms, begun_ms, started_ms, ended_ms, expires_ms, idle_ms, last_active_ms, reason)
    values (${sandbox.id}, ${sandbox.name}, ${sandbox.owner}, ${sandbox.team}, ${JSON.stringify(sandbox.roles)}, ${sandbox.state},
      ${JSON.stringify(sandbox.spec)}, ${null}, ${sandbox.createdMs}, ${sandbox.begunMs}, ${null}, ${null}, ${sandbox.expiresMs},
      ${sandbox.spec.idleMs ?? 0}, ${sandbox.lastActiveMs}, ${sandbox.reason})`);
}

/** One sandbox by its id, whatever its state. */
export async function selectSandbox(reader: Reader, id: string): Promise<Sandbox | undefined> {
  const row = await reader.get<SandboxRow>(sql`select * from sandboxes where id = ${id}`);
  return row === undefined ? undefined : fromRow(row);
}

/** The owner's sandbox of that name which is not deleted. */
export async function selectSandboxByName(reader: Reader, owner: string, name: string): Promise<Sandbox | undefined> {
  const row = await reader.get<SandboxRow>(
    sql`select * from sandboxes where owner = ${owner} and name = ${name} and state <> 'deleted' order by created_ms desc limit 1`,
  );
  return row === undefined ? undefined : fromRow(row);
}

/** Sandboxes in any of these states, oldest first. */
export async function selectSandboxesInStates(reader: Reader, states: readonly SandboxState[]): Promise<Sandbox[]> {
  const rows = await reader.all<SandboxRow>(
    sql`select * from sandboxes where state in ${listSql(states)} order by created_ms, id`,
  );
  return rows.map(fromRow);
}

/** A page of sandboxes that are not deleted (all of them with `all`), newest first; the cursor is the last one's creation time and id. */
export async function selectSandboxPage(
  reader: Reader,
  options: { owner?: string; all: boolean; limit: number; before?: { createdMs: number; id: string } },
): Promise<Sandbox[]> {
  const owner = options.owner === undefined ? sql`` : sql`and owner = ${options.owner}`;
  const states = options.all ? sql`` : sql`and state <> 'deleted'`;
  const before =
    options.before === undefined
      ? sql``
      : sql`and (created_ms < ${options.before.createdMs} or (created_ms = ${options.before.createdMs} and id < ${options.before.id}))`;
  const rows = await reader.all<SandboxRow>(
    sql`select * from sandboxes where 1 = 1 ${owner} ${states} ${before} order by created_ms desc, id desc limit ${options.limit}`,
  );
  return rows.map(fromRow);
}

/** Moves a sandbox to a state with its reason; handle and times where they are new. */
export async function updateSandboxState(
  tx: Tx,
  id: string,
  change: { state: SandboxState; reason: string; handle?: Handle; startedMs?: number; endedMs?: number },
): Promise<void> {
  await tx.run(sql`update sandboxes set state = ${change.state}, reason = ${change.reason},
    handle = coalesce(${change.handle === undefined ? null : JSON.stringify(change.handle)}, handle),
    started_ms = coalesce(${change.startedMs ?? null}, started_ms), ended_ms = coalesce(${change.endedMs ?? null}, ended_ms)
    where id = ${id}`);
}

/** Moves the time at which a sandbox was last seen at work, and its end when it is extended. */
export async function updateSandboxTimes(
  tx: Tx,
  id: string,
  times: { lastActiveMs: number; expiresMs?: number },
): Promise<void> {
  await tx.run(
    sql`update sandboxes set last_active_ms = ${times.lastActiveMs}, expires_ms = coalesce(${times.expiresMs ?? null}, expires_ms) where id = ${id}`,
  );
}

/** Appends a line to a sandbox's own history. */
export async function insertSandboxEvent(
  tx: Tx,
  sandboxId: string,
  event: { atMs: number; kind: string; message: string },
): Promise<void> {
  await tx.run(sql`insert into sandbox_events (sandbox_id, position, at_ms, kind, message)
    select ${sandboxId}, coalesce(max(position), 0) + 1, ${event.atMs}, ${event.kind}, ${event.message} from sandbox_events where sandbox_id = ${sandboxId}`);
}

/** A sandbox's history, oldest first, from after a position on. */
export async function selectSandboxEvents(
  reader: Reader,
  sandboxId: string,
  { after, limit }: { after: number; limit: number },
): Promise<{ position: number; at_ms: number; kind: string; message: string }[]> {
  return reader.all(
    sql`select position, at_ms, kind, message from sandbox_events where sandbox_id = ${sandboxId} and position > ${after} order by position limit ${limit}`,
  );
}

/** Sandboxes that hold something and were not stopped on purpose, without their specs. */
export async function selectUnsettled(reader: Reader): Promise<{ id: string; state: SandboxState }[]> {
  return reader.all<{ id: string; state: SandboxState }>(
    sql`select id, state from sandboxes where state in ('starting', 'running', 'stopping', 'deleting', 'failed')`,
  );
}

/** How many sandboxes are in each state. */
export async function countSandboxesByState(reader: Reader): Promise<Record<string, number>> {
  const rows = await reader.all<{ state: string; n: number }>(
    sql`select state, count(*) as n from sandboxes group by state`,
  );
  return Object.fromEntries(rows.map((row) => [row.state, row.n]));
}

/** Whether a sandbox that is not deleted was made with this environment or image. */
export async function isUsedBySandbox(reader: Reader, digest: string): Promise<boolean> {
  const row = await reader.get(
    sql`select id from sandboxes where state <> 'deleted' and spec like ${`%"digest":"${digest.replace(/[^a-z0-9:]/g, '')}"%`} limit 1`,
  );
  return row !== undefined;
}
