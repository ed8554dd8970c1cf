import type { Reader } from '#kernel/sql.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { Question } from '#src/policies/decision.ts';
import { nodeOfDataset, policyObject } from './dataset.ts';
import { selectVersion } from './dataset-store.ts';

const PLACE = /^([^/]+)\/([1-9]\d{0,8})(?:\/|$)/;

/** The version of a data set that a key of the bucket is a part of: to read the object is to read the data. */
export async function datasetOfKey(
  reader: Reader,
  key: string,
): Promise<{ question: Question; node: NodeRef } | undefined> {
  const match = PLACE.exec(key);
  if (match === null) return undefined;
  const found = await selectVersion(reader, match[1] ?? '', Number(match[2]));
  if (found === undefined) return undefined;
  const question: Question = { action: 'data.read', resource: 'data', object: policyObject(found) };
  return { question, node: nodeOfDataset(found) };
}

/** Which data sets there are is no secret: a catalogue of names, without their files. */
export const askForCatalogue = (): Question => ({
  action: 'dataset.list',
  resource: 'data',
  object: { type: 'dataset', id: '*', labels: [] },
});

/** What is different in the bucket of data sets: read-only, a key is a part of a version, and its names are a catalogue. */
export const DATASET_BUCKET_RULES = { readOnly: true, partOf: datasetOfKey, askToList: askForCatalogue } as const;
