import { type Reader, sql } from '#kernel/sql.ts';

/** What a grant of a model version needs to know of it; undefined when there is none. */
export async function selectGrantedVersion(
  reader: Reader,
  name: string,
  version: number,
): Promise<{ owner: string; run_id: string; storage_location: string; model_id: string } | undefined> {
  return reader.get(sql`select owner, run_id, storage_location, model_id from model_versions
    where name = ${name} and version = ${version} and deleted = 0`);
}
