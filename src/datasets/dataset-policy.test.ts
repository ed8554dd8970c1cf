import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import { randomIds } from '#kernel/ids.ts';
import { createShelf } from '#src/objects/shelf.ts';
import { bytesOf, inPieces, openWorld, person, sandbox, type World } from '#src/objects/test-objects.ts';
import type { Approval } from '#src/policies/approval-in-force.ts';
import { createDecider } from '#src/policies/decide.ts';
import { readDefaultBundle } from '#src/policies/default-bundle.ts';
import { loadBundle } from '#src/policies/load-bundle.ts';
import { createPolicyRegistry } from '#src/policies/policy-registry.ts';
import { addDataset } from './add-dataset.ts';
import { deleteDataset } from './change-dataset.ts';
import { DEFAULT_TAGS } from './dataset.ts';
import { DATASET_BUCKET_RULES } from './dataset-bucket.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { beginDatasetUpload, putDatasetFile } from './upload-dataset.ts';

describe('data sets under the default policy', () => {
  let world: World;
  let deps: DatasetsDeps;
  const approvals: Approval[] = [];
  const box = { identity: { ...sandbox('sb-1', 'erin'), purpose: 'churn' }, door: 's3', requestId: 'req-1' };
  const refusedAs = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

  const add = async (name: string, tags: string[], user = 'erin') => {
    const caller = { identity: person(user), requestId: 'req-2' };
    const { uploadId } = await beginDatasetUpload(deps, { ...caller, name, tags });
    await putDatasetFile(deps, {
      ...caller,
      uploadId,
      path: 'a.txt',
      body: inPieces(Buffer.from(`${name} by ${user}`)),
    });
    return addDataset(deps, { ...caller, uploadId });
  };
  const read = async (key: string) =>
    (await bytesOf(await world.objects.open({ ...box, bucket: 'datasets', key }))).toString();
  const list = (prefix: string) => world.objects.list({ ...box, bucket: 'datasets', prefix });

  before(async () => {
    const decider = createDecider({
      registry: createPolicyRegistry(await loadBundle(readDefaultBundle())),
      clock: systemClock,
      ids: randomIds,
      approvalsInForce: async () => approvals,
      usageOf: async () => ({}),
    });
    world = await openWorld({ decider, builtIn: () => ({ datasets: DATASET_BUCKET_RULES }) });
    const { gateway, database, lineage, clock, ids } = world.deps;
    deps = { gateway, database, lineage, clock, ids, shelf: createShelf(world.deps), vocabulary: DEFAULT_TAGS };
    await add('topics', ['public']);
    await add('customers', ['PII']);
    await add('unknown', []);
  });
  after(() => world.close());

  it('are read and listed when public, refused when untagged', async () => {
    assert.equal(await read('topics/1/a.txt'), 'topics by erin');
    assert.equal((await list('topics/1')).objects.length, 1);
    await assert.rejects(read('unknown/1/a.txt'), refusedAs('denied'));
  });

  it('with PII need an approval for person, data set and purpose, which taints the reader', async () => {
    await assert.rejects(read('customers/1/a.txt'), refusedAs('approval_required'));
    await assert.rejects(list('customers/1'), refusedAs('approval_required'));
    approvals.push({
      id: 'ap-1',
      dataset: 'customers',
      purpose: 'churn',
      labels: ['PII'],
      until: '2099-01-01T00:00:00Z',
    });
    assert.equal(await read('customers/1/a.txt'), 'customers by erin');
    const labels = await world.database.read((reader) =>
      world.deps.lineage.labelsOf(reader, [{ kind: 'sandbox', id: 'sb-1' }]),
    );
    assert.deepEqual(labels, ['PII', 'public']);
    approvals.length = 0;
    await assert.rejects(read('topics/1/a.txt'), refusedAs('approval_required'));
  });

  it('are changed by their owner, not by another engineer', async () => {
    await assert.rejects(add('topics', ['public'], 'bob'), refusedAs('denied'));
    const bob = { identity: person('bob'), requestId: 'req-3' };
    await assert.rejects(deleteDataset(deps, { ...bob, name: 'topics', version: 1 }), refusedAs('denied'));
    const erin = { identity: person('erin'), requestId: 'req-4' };
    await deleteDataset(deps, { ...erin, name: 'topics', version: 1 });
  });
});
