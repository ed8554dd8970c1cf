/** Sends spans or log records to a collector (OTLP/HTTP, JSON encoding). It never makes anybody wait: what does not fit its queue is dropped and counted. */
import { setTimeout as sleep } from 'node:timers/promises';

export type ExporterOutcome = 'sent' | 'dropped' | 'refused';

export type Exporter<T> = {
  add(item: T): void;
  /** Sends what is queued, for at most the given time, and ends. */
  close(timeoutMs: number): Promise<void>;
};

const MOST_QUEUED = 8192;
const MOST_SENT = 512;
const EVERY_MS = 1000;
const RETRY_MS = 5000;
const TIMEOUT_MS = 10_000;
/** OTLP, "Failures": these may be tried again; any other refusal is final. */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** Builds an exporter for one signal. `count` is told of every item what became of it. */
export function createExporter<T>(deps: {
  url: string;
  headers: Record<string, string>;
  encode: (items: T[]) => unknown;
  count: (outcome: ExporterOutcome, items: number) => void;
}): Exporter<T> {
  let queue: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;

  const post = async (items: T[]): Promise<'sent' | 'refused' | 'later'> => {
    try {
      const answer = await fetch(deps.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...deps.headers },
        body: JSON.stringify(deps.encode(items)),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: 'error',
      });
      await answer.arrayBuffer();
      if (answer.ok) return 'sent';
      return RETRYABLE.has(answer.status) ? 'later' : 'refused';
    } catch {
      return 'later';
    }
  };

  /** Empties the queue; false when the collector cannot take it now. */
  const drain = async (): Promise<boolean> => {
    while (queue.length > 0) {
      const items = queue.slice(0, MOST_SENT);
      const outcome = await post(items);
      if (outcome === 'later') return false;
      queue = queue.slice(items.length);
      deps.count(outcome, items.length);
    }
    return true;
  };

  const schedule = (delayMs: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      sending = drain().then((emptied) => {
        sending = undefined;
        if (!emptied || queue.length > 0) schedule(emptied ? EVERY_MS : RETRY_MS);
      });
    }, delayMs).unref();
  };

  return {
    add: (item) => {
      if (queue.length >= MOST_QUEUED) return deps.count('dropped', 1);
      queue.push(item);
      if (sending === undefined) schedule(EVERY_MS);
    },
    close: async (timeoutMs) => {
      clearTimeout(timer);
      const work = (sending ?? Promise.resolve()).then(drain);
      await Promise.race([work, sleep(timeoutMs, undefined, { ref: false })]);
      if (queue.length > 0) deps.count('dropped', queue.length);
    },
  };
}
