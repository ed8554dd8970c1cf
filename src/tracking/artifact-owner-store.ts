import { type Reader, sql } from '#kernel/sql.ts';

/** Who owns what lies at a key of the bucket `mlflow` (`EXPERIMENT/RUN/artifacts/…`, `EXPERIMENT/models/MODEL/artifacts/…`): the owner of the run or model. */
export async function ownerOfArtifact(reader: Reader, key: string): Promise<string | undefined> {
  const [, second = '', third = ''] = key.split('/');
  const row =
    second === 'models'
      ? await reader.get<{ owner: string }>(sql`select owner from logged_models where id = ${third}`)
      : await reader.get<{ owner: string }>(sql`select owner from runs where id = ${second}`);
  return row?.owner;
}
