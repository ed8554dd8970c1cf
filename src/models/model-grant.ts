import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import { selectGrantedVersion } from './granted-version-store.ts';

/**
 * What `model:NAME/VERSION` lets a sandbox do: read that version, the run that made it and its files, and nothing else.
 * Scopes are `ACTION:ID`, or `ACTION:PREFIX*`. Throws `not_found`, `invalid`.
 */
export async function resolveModelGrant(
  labelsOf: (reader: Reader, nodes: NodeRef[]) => Promise<string[]>,
  reader: Reader,
  grant: string,
): Promise<{ scopes: string[]; object: PolicyObject }> {
  const match = /^model:([^/]+)\/([1-9]\d*)$/.exec(grant);
  if (match?.[1] === undefined) {
    throw new AppError('invalid', `"${grant}" is not model:NAME/VERSION.`, { details: { field: 'grants' } });
  }
  const [, name, version = ''] = match;
  const found = await selectGrantedVersion(reader, name, Number(version));
  if (found === undefined) {
    throw new AppError('not_found', `There is no model version ${name}/${version}.`, {
      details: { field: 'grants', hint: 'See "fumehood model list".' },
    });
  }
  const id = `${name}/${version}`;
  const path = found.storage_location.replace(/^mlflow-artifacts:\/*/, '');
  const scopes = [
    `model.read:${id}`,
    `model.read:${name}`,
    `object.read:mlflow/${path}/*`,
    `object.list:mlflow/${path}*`,
    `object.list:mlflow`,
    ...(found.model_id === '' ? [] : [`model.read:${found.model_id}`]),
    ...(found.run_id === '' ? [] : [`run.read:${found.run_id}`]),
  ];
  const labels = await labelsOf(reader, [{ kind: 'model', id }]);
  return { scopes, object: { type: 'model', id, name, version, owner: found.owner, labels } };
}
