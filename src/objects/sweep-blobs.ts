import { dropUpload } from './begin-upload.ts';
import { selectNamedBlobs } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { selectUploadsBefore } from './upload-store.ts';

export type SweepRequest = {
  requestId: string;
  /** Unnamed bytes that are younger stay: their commit may be on its way. */
  graceMs: number;
  /** Uploads that were begun longer ago are given up. */
  abandonedMs: number;
};

/** Gives up abandoned uploads and removes bytes that no commit ever named. Runs now and then, and at each start. */
export async function sweepBlobs(
  deps: Pick<ObjectsDeps, 'gateway' | 'database' | 'vault' | 'clock'>,
  request: SweepRequest,
): Promise<{ blobs: number; uploads: number }> {
  const before = deps.clock.nowMs() - request.abandonedMs;
  const old = await deps.database.read((reader) => selectUploadsBefore(reader, before, 1000));
  for (const upload of old) {
    const freed = await deps.gateway.system({
      action: 'object.upload.abandon',
      object: { kind: 'object', id: `${upload.bucket}/${upload.key}`, name: `${upload.bucket}/${upload.key}` },
      requestId: request.requestId,
      details: { upload: upload.uploadId },
      act: (tx) => dropUpload(tx, upload.uploadId),
    });
    deps.vault.discard(freed);
  }
  const blobs = await deps.vault.sweep({
    graceMs: request.graceMs,
    namedAmong: (blobIds) => deps.database.read((reader) => selectNamedBlobs(reader, blobIds)),
  });
  return { blobs, uploads: old.length };
}
