import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Environment } from './environment.ts';

type EnvironmentRow = Row & {
  name: string;
  digest: string;
  requirements: string;
  lock: string;
  python: string;
  packages: number;
  size_bytes: number;
  owner: string;
  created_ms: number;
};

const fromRow = (row: EnvironmentRow): Environment => ({
  name: row.name,
  digest: row.digest,
  requirements: row.requirements,
  lock: row.lock,
  python: row.python,
  packages: row.packages,
  sizeBytes: row.size_bytes,
  owner: row.owner,
  createdMs: row.created_ms,
});

/** Adds an environment under its name. */
export async function insertEnvironment(tx: Tx, environment: Environment): Promise<void> {
  const { name, digest, requirements, lock, python, packages, sizeBytes, owner, createdMs } = environment;
  await tx.run(sql`insert into environments (name, digest, requirements, lock, python, packages, size_bytes, owner, created_ms)
    values (${name}, ${digest}, ${requirements}, ${lock}, ${python}, ${packages}, ${sizeBytes}, ${owner}, ${createdMs})`);
}

/** One environment by its name, or any of that digest. */
export async function selectEnvironment(reader: Reader, ref: string): Promise<Environment | undefined> {
  const row = await reader.get<EnvironmentRow>(
    sql`select * from environments where name = ${ref} or digest = ${ref} order by created_ms limit 1`,
  );
  return row === undefined ? undefined : fromRow(row);
}

/** A page of environments by name. */
export async function selectEnvironments(
  reader: Reader,
  options: { after: string; limit: number },
): Promise<Environment[]> {
  const rows = await reader.all<EnvironmentRow>(
    sql`select * from environments where name > ${options.after} order by name limit ${options.limit}`,
  );
  return rows.map(fromRow);
}

/** Removes a name; the installed files are the caller's to remove when no name is left. */
export async function deleteEnvironment(tx: Tx, name: string): Promise<void> {
  await tx.run(sql`delete from environments where name = ${name}`);
}

/** The digests that any name stands for. */
export async function selectEnvironmentDigests(reader: Reader): Promise<string[]> {
  return (await reader.all<{ digest: string }>(sql`select distinct digest from environments`)).map((row) => row.digest);
}
