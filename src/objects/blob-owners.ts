/** Who still needs the file of a blob: a write in progress, readers, a backup. It is removed when the last of them lets go. */
export type BlobOwners = {
  /** A write has begun; `settle` ends it and keeps the file. */
  begin(blobId: string): void;
  settle(blobId: string): void;
  /** Runs a read, for whose time the file stays. */
  reading(blobId: string): { end(): void };
  /** Nothing names the blob any more: its file goes as soon as it may. */
  discard(blobId: string): void;
  /** Whether somebody writes or reads it. */
  isOwned(blobId: string): boolean;
  /** No file is removed until the returned function is called. */
  hold(): () => void;
};

/** `unlink` removes a file; it is called once for each blob that is discarded. */
export function createBlobOwners(unlink: (blobId: string) => void): BlobOwners {
  const writing = new Set<string>();
  const readers = new Map<string, number>();
  const doomed = new Set<string>();
  const held = new Set<string>();
  let holds = 0;
  const remove = (blobId: string): void => {
    doomed.delete(blobId);
    if (holds > 0) held.add(blobId);
    else unlink(blobId);
  };
  const release = (blobId: string): void => {
    const left = (readers.get(blobId) ?? 1) - 1;
    if (left > 0) readers.set(blobId, left);
    else readers.delete(blobId);
    if (left <= 0 && doomed.has(blobId)) remove(blobId);
  };
  return {
    begin: (blobId) => void writing.add(blobId),
    settle: (blobId) => void writing.delete(blobId),
    reading: (blobId) => {
      readers.set(blobId, (readers.get(blobId) ?? 0) + 1);
      return { end: () => release(blobId) };
    },
    discard: (blobId) => {
      writing.delete(blobId);
      if (readers.has(blobId)) doomed.add(blobId);
      else remove(blobId);
    },
    isOwned: (blobId) => writing.has(blobId) || readers.has(blobId),
    hold: () => {
      holds += 1;
      let released = false;
      return () => {
        if (released) return;
        released = true;
        holds -= 1;
        if (holds > 0) return;
        const waiting = [...held];
        held.clear();
        for (const blobId of waiting) remove(blobId);
      };
    },
  };
}
