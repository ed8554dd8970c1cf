import { Transform } from 'node:stream';

/** What MLflow's client prints of a run and its experiment: addresses at the sandbox's own door, where no browser comes. */
const INSIDE = /http:\/\/(?:localhost|127\.0\.0\.1):5000\/#\/(experiments\/\d+)(?:\/runs\/([0-9a-f]{32})|(?=\s))/g;

/**
 * Shows a person the address of the page of a run or an experiment in place of the one inside; every other byte passes as it is. `runPages`
 * says below what the pages are, once it is needed. A link that comes in two parts stays as it is.
 */
export function linkRuns(runPages: () => Promise<string | null>): Transform {
  let pages: Promise<string | null> | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (!chunk.includes('/#/experiments/')) return done(null, chunk);
      pages ??= runPages().catch(() => null);
      void pages.then((base) => {
        if (base === null) return done(null, chunk);
        const page = (_whole: string, experiment: string, runId?: string): string => base + (runId ?? experiment);
        done(null, Buffer.from(chunk.toString('latin1').replace(INSIDE, page), 'latin1'));
      });
    },
  });
}
