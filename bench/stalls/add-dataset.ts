import { randomBytes } from 'node:crypto';
import { atOnce, type StallApi } from './api.ts';

const FILES = 10_000;
const FILE_BYTES = 20_000;
const CONNECTIONS = 8;

/** Adds a data set of many files in 100 folders, some of them at once. */
export async function addDataset(api: StallApi, name: string): Promise<void> {
  const { id } = JSON.parse(await api.send('POST', `datasets/${name}/uploads`, '{"tags":["public"]}')) as {
    id: string;
  };
  const content = randomBytes(FILE_BYTES);
  await atOnce(CONNECTIONS, FILES, async (at) => {
    const bytes = Buffer.from(content);
    bytes.writeUInt32LE(at);
    await api.send('PUT', `dataset-uploads/${id}/files/${at % 100}/${at}.bin`, bytes);
  });
  await api.send('POST', `dataset-uploads/${id}/finish`);
}
