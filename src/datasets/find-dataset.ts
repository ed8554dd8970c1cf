import type { Reader } from '#kernel/sql.ts';
import { selectVersion } from './dataset-store.ts';

/** A version as sandboxes mount it. */
export type ResolvedDataset = { name: string; version: string; digest: string; tags: string[]; owner: string };

/** The version that `NAME` or `NAME@VERSION` means; undefined when there is none. */
export async function findDataset(
  reader: Reader,
  name: string,
  version: string | undefined,
): Promise<ResolvedDataset | undefined> {
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version)) return undefined;
  const found = await selectVersion(reader, name, version === undefined ? undefined : Number(version));
  if (found === undefined) return undefined;
  const { digest, tags, owner } = found;
  return { name, version: String(found.version), digest, tags, owner };
}
