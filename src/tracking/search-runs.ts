import type { Reader } from '#kernel/sql.ts';
import type { Subject } from '#src/policies/decision.ts';
import { NO_DATA, NO_LINKS, type WholeRun } from './read-run.ts';
import type { RunSearch } from './run-search-store.ts';
import { searchRuns } from './run-search-store.ts';
import { selectRunData, selectRunLinks } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type SearchRuns = Omit<RunSearch, 'owner' | 'labelsWithin'>;

/**
 * A page of the caller's own runs (an officer's: of everybody's). A sandbox sees those that carry no label but its own, so that
 * searching never taints it; a person is asked about with the labels of all that the page tells. What a search told is in the audit
 * log, not in the graph.
 */
export async function findRuns(
  deps: TrackingDeps,
  caller: Caller,
  search: SearchRuns,
): Promise<{ runs: WholeRun[]; nextToken: string | undefined }> {
  let page: Awaited<ReturnType<typeof searchRuns>> = { runs: [], nextToken: undefined };
  const { identity } = caller;
  const everybody = seesAll(identity);
  return deps.gateway.cross({
    ...caller,
    action: 'run.search',
    object: { kind: 'run', id: '*' },
    ask: async (reader, subject) => {
      page = await searchRuns(reader, narrowed(search, subject));
      const labels = identity.type === 'sandbox' ? [] : await labelsOfRuns(deps, reader, page.runs);
      const owner = everybody ? {} : { owner: identity.user };
      return [{ action: 'run.search', resource: 'run', object: { type: 'run', id: '*', ...owner, labels } }];
    },
    act: async (tx, crossing) => {
      const ids = page.runs.map((run) => run.id);
      const data = await selectRunData(tx, ids);
      const links = await selectRunLinks(tx, ids);
      crossing.detail('count', ids.length);
      crossing.detail('experiments', search.experimentIds.slice(0, 20).join(','));
      const runs = page.runs.map((run) => ({
        run,
        data: data.get(run.id) ?? NO_DATA,
        links: links.get(run.id) ?? NO_LINKS,
      }));
      return { runs, nextToken: page.nextToken };
    },
  });
}

/** An officer outside of sandboxes looks at everybody's. */
export const seesAll = (identity: Pick<Subject, 'type' | 'roles'>): boolean =>
  identity.type === 'user' && identity.roles.includes('officer');

const narrowed = (search: SearchRuns, subject: Subject): RunSearch => ({
  ...search,
  ...(seesAll(subject) ? {} : { owner: subject.user }),
  ...(subject.type === 'sandbox' ? { labelsWithin: subject.labels } : {}),
});

const LABELS_AT_ONCE = 500;

async function labelsOfRuns(deps: TrackingDeps, reader: Reader, runs: readonly { id: string }[]): Promise<string[]> {
  const labels = new Set<string>();
  for (let at = 0; at < runs.length; at += LABELS_AT_ONCE) {
    const nodes = runs.slice(at, at + LABELS_AT_ONCE).map(({ id }) => ({ kind: 'run' as const, id }));
    for (const label of await deps.lineage.labelsOf(reader, nodes)) labels.add(label);
  }
  return [...labels].sort();
}
