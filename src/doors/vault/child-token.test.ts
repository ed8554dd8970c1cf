import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inScopes, narrow } from './child-token.ts';

const Scope = fc.constantFrom(
  '*',
  'secret.read',
  'secret.write',
  'secret.*',
  'token.*',
  'secret.read:team/*',
  'secret.*:a',
);
const ACTIONS = ['secret.read', 'secret.write', 'token.read', 'run.log'];

test('narrowing never adds an action', () => {
  fc.assert(
    fc.property(fc.array(Scope), fc.array(Scope), (parent, child) => {
      const left = narrow(parent, child);
      for (const action of ACTIONS) if (inScopes(left, action)) assert.ok(inScopes(parent, action));
    }),
  );
});

test('a scope for one object is not widened to all of them', () => {
  assert.deepEqual(narrow(['secret.read:team/*'], ['secret.read']), []);
  assert.deepEqual(narrow(['secret.read'], ['secret.read:team/*']), ['secret.read:team/*']);
  assert.deepEqual(narrow(['secret.read'], ['secret.*']), []);
  assert.deepEqual(narrow(['secret.read'], ['*']), ['secret.read']);
  assert.deepEqual(narrow(['*'], ['secret.*']), ['secret.*']);
});
