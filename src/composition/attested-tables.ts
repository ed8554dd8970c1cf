/** The tables that the log speaks for: whoever changes such a row in an act attests it, and `audit verify` compares. */
import type { AttestedRows } from '#src/audit/attestation.ts';
import { type AttestedTable, attestedTable } from '#src/audit/attested-table-sql.ts';

const TABLES: readonly AttestedTable[] = [
  {
    kind: 'user',
    noun: 'user',
    table: 'users',
    key: ['name'],
    state: ['roles', 'team', 'disabled', 'created_ms', 'deleted_ms'],
    isPersonal: true,
  },
  {
    kind: 'token',
    noun: 'token',
    table: 'tokens',
    key: ['id'],
    state: ['hash', 'scopes', 'created_ms', 'expires_ms', 'revoked_ms'],
    owner: 'user_name',
  },
  {
    kind: 'sandbox',
    noun: 'sandbox',
    table: 'sandboxes',
    key: ['id'],
    state: ['name', 'team', 'roles', 'spec', 'created_ms', "case when state = 'deleted' then 1 else 0 end"],
    owner: 'owner',
  },
  {
    kind: 'approval',
    noun: 'approval',
    table: 'approvals',
    key: ['id'],
    state: ['dataset', 'purpose', 'labels', 'state', 'requested_ms', 'until_ms', 'decided_ms', 'reason'],
    owner: 'requester',
  },
  {
    kind: 'policy',
    noun: 'policy version',
    table: 'policy_versions',
    key: ['name', 'version'],
    state: ['digest', 'kinds', 'removed', 'applied_ms', 'submitted'],
  },
  {
    kind: 'dataset',
    noun: 'data set version',
    table: 'dataset_versions',
    key: ['name', 'version'],
    state: ['digest', 'size_bytes', 'file_count', 'created_ms'],
  },
  { kind: 'dataset-tag', noun: 'tag', table: 'dataset_tags', key: ['name', 'version', 'tag'], state: [] },
  {
    kind: 'object',
    noun: 'object',
    table: 'objects',
    key: ['bucket', 'object_key'],
    state: [
      'content_id',
      '(select c.digest from object_contents c where c.content_id = objects.content_id)',
      'content_type',
      'metadata',
      'headers',
      'tags',
      'modified_ms',
    ],
    owner: 'owner',
    // The files of a data set's version stand under the digest of the version.
    where: "bucket <> 'datasets'",
  },
  {
    kind: 'secret',
    noun: 'secret',
    table: 'secrets',
    key: ['path'],
    state: [
      'current_version',
      'max_versions',
      'cas_required',
      'delete_after_ms',
      'custom_metadata',
      'created_ms',
      'updated_ms',
    ],
    owner: 'owner',
  },
  {
    kind: 'secret-version',
    noun: 'secret version',
    table: 'secret_versions',
    key: ['path', 'version'],
    state: ['value_id', 'created_ms', 'deleted_ms', 'destroyed'],
  },
  {
    kind: 'run',
    noun: 'run',
    table: 'runs',
    key: ['id'],
    state: ['experiment_id', 'start_ms', 'sandbox_id', 'artifact_uri'],
    owner: 'owner',
  },
  {
    kind: 'model-version',
    noun: 'model version',
    table: 'model_versions',
    key: ['name', 'version'],
    state: ['source', 'storage_location', 'run_id', 'model_id', 'deleted', 'created_ms'],
    owner: 'owner',
  },
];

export const ATTESTED: ReadonlyMap<string, AttestedRows> = new Map(
  TABLES.map((table) => [table.kind, attestedTable(table)]),
);
