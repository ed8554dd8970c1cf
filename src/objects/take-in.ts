import { AppError, diskFault, toAppError } from '#kernel/errors.ts';
import type { CrossingRequest } from '#src/gateway/crossing.ts';
import type { Blob, WriteOptions } from './blob.ts';
import type { ChecksumExpectation, Checksums } from './checksum.ts';
import { matchChecksums, objectError } from './object.ts';
import type { ObjectsDeps } from './objects-deps.ts';

/** Codes of a connection that ended before its body did. */
const CUT = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR']);

/**
 * Takes in the bytes of a write that policy was asked about. What arrives short, changed or not at all names nothing and is an entry of its own:
 * the crossing that would name it is never made. The blob that it gives is settled by `keep` or `discard`.
 */
export async function takeIn(
  deps: Pick<ObjectsDeps, 'vault' | 'gateway'>,
  crossing: Omit<CrossingRequest<unknown>, 'act'>,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions & { expectation: ChecksumExpectation | undefined },
): Promise<{ blob: Blob; checksums: Checksums }> {
  try {
    const { checksums, ...blob } = await deps.vault.write(body, options);
    try {
      matchChecksums(checksums, options.expectation?.expected() ?? {});
    } catch (error) {
      deps.vault.discard([blob.blobId]);
      throw error;
    }
    return { blob, checksums };
  } catch (thrown) {
    const error = describe(thrown);
    error.details.audited = true;
    const { identity, door, requestId, action, object } = crossing;
    await deps.gateway.refuse({ identity, door, requestId, action, object, error });
    throw error;
  }
}

/**
 * Settles a blob whose crossing failed. When it is not known whether the commit happened, the bytes stay: if nothing names them, a sweep
 * finds out.
 */
export function settleFailed(
  vault: Pick<ObjectsDeps['vault'], 'keep' | 'discard'>,
  error: unknown,
  blobId: string,
): void {
  if (error instanceof AppError && error.code === 'unavailable') vault.keep([blobId]);
  else vault.discard([blobId]);
}

const describe = (thrown: unknown): AppError =>
  connectionCut(thrown) ?? diskFault(thrown, 'for objects') ?? toAppError(thrown);

/** The error of a body whose connection ended before it did; undefined for any other. */
export function connectionCut(thrown: unknown): AppError | undefined {
  if (!(thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string')) return undefined;
  if (!CUT.has(thrown.code)) return undefined;
  return objectError('invalid', 'length', 'The connection ended before the content did.', 'Send it again.');
}
