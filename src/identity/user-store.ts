import { z } from 'zod';
import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import { Role, type User } from './user.ts';

type UserRow = Row & {
  name: string;
  roles: string;
  team: string;
  disabled: number;
  created_ms: number;
  deleted_ms: number | null;
};

const Roles = z.array(Role);

const fromRow = (row: UserRow): User => ({
  name: row.name,
  roles: Roles.parse(JSON.parse(row.roles)),
  team: row.team,
  disabled: row.disabled === 1,
  createdMs: row.created_ms,
  deletedMs: row.deleted_ms,
});

/** Adds a user. */
export async function insertUser(tx: Tx, user: User): Promise<void> {
  await tx.run(sql`insert into users (name, roles, team, disabled, created_ms, deleted_ms)
    values (${user.name}, ${JSON.stringify(user.roles)}, ${user.team}, ${user.disabled ? 1 : 0}, ${user.createdMs}, ${user.deletedMs})`);
}

/** One user by name, also a deleted one. */
export async function selectUser(reader: Reader, name: string): Promise<User | undefined> {
  const row = await reader.get<UserRow>(sql`select * from users where name = ${name}`);
  return row === undefined ? undefined : fromRow(row);
}

/** A page of the users that are not deleted, by name. */
export async function selectUsers(reader: Reader, options: { after: string; limit: number }): Promise<User[]> {
  const rows = await reader.all<UserRow>(
    sql`select * from users where deleted_ms is null and name > ${options.after} order by name limit ${options.limit}`,
  );
  return rows.map(fromRow);
}

/** Whether there was ever a user here. */
export async function anyUser(reader: Reader): Promise<boolean> {
  return (await reader.get(sql`select name from users limit 1`)) !== undefined;
}

/** Writes a user's roles, team, and whether it is disabled or deleted. */
export async function updateUser(tx: Tx, user: User): Promise<void> {
  await tx.run(sql`update users set roles = ${JSON.stringify(user.roles)}, team = ${user.team},
    disabled = ${user.disabled ? 1 : 0}, deleted_ms = ${user.deletedMs} where name = ${user.name}`);
}

/** The team of a user; undefined for one that is not known. */
export async function selectTeam(reader: Reader, name: string): Promise<string | undefined> {
  return (await reader.get<{ team: string }>(sql`select team from users where name = ${name}`))?.team;
}

/** Users who may act and have a role. */
export async function selectActiveWithRole(reader: Reader, role: Role): Promise<string[]> {
  const rows = await reader.all<UserRow>(
    sql`select * from users where deleted_ms is null and disabled = 0 order by name`,
  );
  return rows
    .map(fromRow)
    .filter((user) => user.roles.includes(role))
    .map((user) => user.name);
}
