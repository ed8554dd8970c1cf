/** Runs work on one key at a time, in order of arrival; other keys do not wait. */
export type KeyedMutex = (<T>(key: string, work: () => Promise<T>) => Promise<T>) & {
  /** Whether anything runs or waits on a key. */
  isBusy(key: string): boolean;
};

export function createKeyedMutex(): KeyedMutex {
  const tails = new Map<string, Promise<unknown>>();
  const run = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const result = (tails.get(key) ?? Promise.resolve()).then(work);
    const tail = result
      .catch(() => undefined)
      .then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
    tails.set(key, tail);
    return result;
  };
  return Object.assign(run, { isBusy: (key: string) => tails.has(key) });
}
