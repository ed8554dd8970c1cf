import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Database, Tx } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { upsertEdge } from './lineage-store.ts';
import { EDGE_KINDS, traceLineage } from './trace-lineage.ts';

const MANY = 300;
const MOST_EDGES = 2001;

const edge = (tx: Tx, sandbox: string, thing: string, direction: 'in' | 'out', atMs: number): Promise<void> =>
  upsertEdge(tx, {
    thing_key: `object:${thing}`,
    subject_key: `sandbox:${sandbox}`,
    direction,
    relation: direction === 'in' ? 'read' : 'wrote',
    run_key: '',
    origin: 'observed',
    first_ms: atMs,
    request_id: 'req-1',
  });

describe('a trace of lineage', () => {
  let database: Database;
  before(async () => {
    database = await openDatabase('sqlite::memory:');
    await database.transaction(async (tx) => {
      await edge(tx, 'few', 'early', 'in', 1);
      await edge(tx, 'few', 'made', 'out', 2);
      await edge(tx, 'few', 'late', 'in', 3);
      await edge(tx, 'other', 'unrelated', 'in', 1);
      await edge(tx, 'other', 'apart', 'out', 2);
      for (let at = 0; at < MANY; at += 1) {
        await edge(tx, 'wide', `source-${at}`, 'in', 1);
        await edge(tx, 'wide', `part-${at}`, 'out', 2);
        await edge(tx, 'last', `part-${at}`, 'in', 3);
      }
      await edge(tx, 'last', 'whole', 'out', 4);
    });
  });
  after(() => database.close());
  const trace = (start: string, direction: 'up' | 'down', kinds: readonly (typeof EDGE_KINDS)[number][] = EDGE_KINDS) =>
    database.read((reader) => traceLineage(reader, { start, direction, kinds }));

  it('derives an arrow from what a sandbox read before it wrote, and from nothing else', async () => {
    for (const found of [await trace('object:made', 'up'), await trace('object:early', 'down')]) {
      const derived = found.edges.filter(({ kind }) => kind === 'derived');
      assert.deepEqual(
        derived.map(({ from, to }) => [from, to]),
        [['object:early', 'object:made']],
      );
      assert.equal(found.truncated, false);
    }
  });

  it('ends at its longest, however many pairs of what was read and written there are', async () => {
    for (const found of [await trace('object:whole', 'up'), await trace('object:source-0', 'down')])
      assert.ok(found.edges.length <= MOST_EDGES);
    const { edges, truncated } = await trace('object:whole', 'up');
    assert.equal(truncated, true);
    assert.equal(edges.length, MOST_EDGES);
    assert.equal(new Set(edges.map(({ from, to, kind }) => `${from} ${to} ${kind}`)).size, edges.length);
  });

  it('leaves the pairs out where only what was observed is asked for', async () => {
    const { edges, nodes, truncated } = await trace('object:whole', 'up', ['observed']);
    assert.equal(truncated, false);
    assert.ok(edges.every(({ kind }) => kind === 'observed'));
    assert.equal(edges.length, 1 + 3 * MANY);
    assert.ok(nodes.has('object:source-0'));
  });
});
