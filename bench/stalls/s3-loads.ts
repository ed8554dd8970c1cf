import { join } from 'node:path';
import { execute } from '../processes.ts';
import { BUCKET, makeS3Place } from '../s3-home.ts';
import type { S3Load } from '../s3-load.ts';
import type { S3Place } from '../sign-s3.ts';
import type { StallHome, StallLoad } from './loads.ts';

const PROGRAM = join(import.meta.dirname, '../s3-load.ts');
const SHAPES = [
  { size: '64 MiB', sizeBytes: 64 * 2 ** 20, connections: 2, requests: 6 },
  { size: '4 KiB', sizeBytes: 4096, connections: 8, requests: 2000 },
];

/** Large and small objects, written and read. */
export function s3Loads(home: StallHome): StallLoad[] {
  let place: S3Place | undefined;
  return SHAPES.flatMap(({ size, ...shape }) =>
    (['PUT', 'GET'] as const).map((method) => ({
      what: `S3 ${method} of ${size}, ${shape.connections} connections`,
      prepare: async () => {
        place ??= await makeS3Place(home);
      },
      run: async () => {
        if (place === undefined) return;
        const load: S3Load = { ...place, bucket: BUCKET, method, ...shape };
        await execute(process.execPath, [PROGRAM], JSON.stringify(load));
      },
    })),
  );
}
