import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { auditSecret, checkPrefix, nodeOfSecret } from './secret.ts';
import { selectPaths } from './secret-store.ts';
import type { Caller, SecretsDeps } from './secrets-deps.ts';

const PAGE = 500;

/**
 * Names of the caller's secrets directly below a prefix, sorted; those with more below them end in a slash (both may be there). Names carry labels as
 * contents do: whoever lists takes over those of all that is told.
 */
export async function listSecrets(deps: SecretsDeps, request: Caller & { prefix: string }): Promise<string[]> {
  const { identity, door, requestId } = request;
  const prefix = checkPrefix(request.prefix);
  return deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'secret.list',
    object: auditSecret(prefix),
    ask: async (_reader, subject) => {
      const object = { type: 'secret', id: prefix, name: prefix, owner: subject.user, labels: [] };
      return [{ action: 'secret.list', resource: 'secret', object }];
    },
    act: async (tx, crossing) => {
      const names = new Set<string>();
      for await (const path of pathsBelow(tx, identity.user, prefix)) {
        const [head = '', ...rest] = path.slice(prefix.length).split('/');
        names.add(rest.length > 0 ? `${head}/` : head);
        await takeLabels(deps, tx, crossing, path);
      }
      crossing.detail('names', names.size);
      return [...names].sort();
    },
  });
}

async function takeLabels(deps: SecretsDeps, tx: Tx, crossing: Crossing, path: string): Promise<void> {
  const node = nodeOfSecret(path);
  const known = new Set(crossing.labels());
  const labels = await deps.lineage.labelsOf(tx, [node]);
  if (labels.some((label) => !known.has(label))) await crossing.reads(node, 'listed');
}

async function* pathsBelow(reader: Reader, owner: string, prefix: string): AsyncGenerator<string> {
  let after = '';
  for (;;) {
    const page = await selectPaths(reader, { owner, prefix, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1) ?? '';
  }
}
