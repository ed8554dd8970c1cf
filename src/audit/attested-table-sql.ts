import { joinSql, type Row, rawSql, type Sql, sql } from '#kernel/sql.ts';
import { type AttestedRows, type RowKey, type Standing, stateOf } from './attestation.ts';

/** A table whose rows entries attest. Names and expressions are constants of the program. */
export type AttestedTable = {
  kind: string;
  noun: string;
  table: string;
  /** The columns of the primary key, in its order. */
  key: readonly [string, ...string[]];
  /** What of a row only an act may change. No person's name. */
  state: readonly string[];
  owner?: string;
  isPersonal?: boolean;
  /** Rows that are attested otherwise are left out. */
  where?: string;
};

/** The rows of a table as the log attests them: two statements, both along the primary key. */
export function attestedTable({
  kind,
  noun,
  table,
  key,
  state,
  owner,
  isPersonal,
  where,
}: AttestedTable): AttestedRows {
  const columns = [
    ...key.map((column, at) => `${column} as k${at}`),
    ...state.map((column, at) => `${column} as s${at}`),
    ...(owner === undefined ? [] : [`${owner} as owner`]),
  ];
  const from = sql`select ${rawSql(columns.join(', '))} from ${rawSql(table)} where ${rawSql(where ?? '1 = 1')}`;
  const tuple = (values: RowKey): Sql =>
    joinSql(
      values.map((value) => sql`${value}`),
      ', ',
    );
  const keys = rawSql(key.join(', '));
  const standing = (row: Row): Standing => ({
    key: key.map((_, at) => row[`k${at}`] as string | number),
    state: stateOf(state.map((_, at) => row[`s${at}`] as string | number | null)),
    owner: owner === undefined ? undefined : (row.owner as string),
  });
  return {
    kind,
    noun,
    isPersonal: isPersonal === true,
    one: async (reader, values) => {
      const row = await reader.get(sql`${from} and (${keys}) = (${tuple(values)})`);
      return row === undefined ? undefined : standing(row);
    },
    page: async (reader, after, limit) => {
      const beyond = after === undefined ? sql`` : sql`and (${keys}) > (${tuple(after)})`;
      return (await reader.all(sql`${from} ${beyond} order by ${keys} limit ${limit}`)).map(standing);
    },
  };
}
