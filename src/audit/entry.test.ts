import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type EntryDraft, type Leaf, opensCommitments, sealEntry, viewEntry } from './entry.ts';

const draft: EntryDraft = {
  time: 1_700_000_000_000,
  actor: { type: 'user', id: 'olga', user: 'olga' },
  action: 'user.create',
  object: { kind: 'user', id: 'bertha', name: 'Bertha B.' },
  decision: null,
  outcome: 'ok',
  requestId: 'req_1',
};

describe('an audit entry', () => {
  it('has no name of a person in its leaf, and shows all of them while they are kept', () => {
    const { leaf, openings } = sealEntry(draft, 7);
    assert.doesNotMatch(leaf, /olga|bertha/i);
    const view = viewEntry(leaf, openings, '');
    assert.deepEqual(view.actor, { type: 'user', id: 'olga', user: 'olga' });
    assert.deepEqual(view.object, { kind: 'user', id: 'bertha', name: 'Bertha B.' });
  });

  it('forgets whom it was about and still says who did it', () => {
    const { leaf, openings } = sealEntry(draft, 7);
    const { object: _forgotten, ...kept } = openings;
    const view = viewEntry(leaf, kept, '');
    assert.deepEqual(view.object, { kind: 'user', id: 'erased' });
    assert.equal(view.actor.id, 'olga');
    assert.equal(opensCommitments(kept, (JSON.parse(leaf) as Leaf).personal), true);
  });

  it('does not open with another name, another salt or the values of the other person', () => {
    const { leaf, openings } = sealEntry(draft, 7);
    const { personal } = JSON.parse(leaf) as Leaf;
    const { actor, object } = openings;
    assert.ok(actor !== undefined && object !== undefined);
    assert.equal(opensCommitments(openings, personal), true);
    assert.equal(opensCommitments({ actor: { ...actor, values: { ...actor.values, user: 'eve' } } }, personal), false);
    assert.equal(opensCommitments({ actor: { ...actor, salt: '00'.repeat(16) } }, personal), false);
    assert.equal(opensCommitments({ actor: object, object: actor }, personal), false);
  });

  it('commits to the same name differently each time, so that commitments cannot be matched', () => {
    assert.notEqual(sealEntry(draft, 7).leaf, sealEntry(draft, 7).leaf);
    assert.equal(sealEntry(draft, 7).openings.actor?.salt.length, 32);
  });

  it('is written even when what it tells of is longer than a leaf may be', () => {
    const long = { ...draft, object: { kind: 'object', id: 'x'.repeat(100_000) }, requestId: 'r'.repeat(70_000) };
    const { leaf } = sealEntry(long, 7);
    assert.ok(Buffer.byteLength(leaf) < 65_536);
    assert.equal((JSON.parse(leaf) as Leaf).details?.cut, 'parts of this entry were too long');
  });
});
