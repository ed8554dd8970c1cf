import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from './router.ts';

const match = createRouter([
  { method: 'GET', path: '/a/:id' },
  { method: 'GET', path: '/a/fixed' },
  { method: 'DELETE', path: '/a/:id' },
  { method: 'GET', path: '/a/:id/files/*path' },
]);

test('a literal segment wins over a parameter, and parameters are decoded', () => {
  const fixed = match('GET', '/a/fixed');
  assert.ok(fixed.kind === 'found' && fixed.row.path === '/a/fixed');
  const one = match('GET', '/a/x%20y');
  assert.ok(one.kind === 'found');
  assert.deepEqual(one.params, { id: 'x y' });
});

test('the rest of a path is taken whole', () => {
  const found = match('GET', '/a/1/files/dir/file.txt');
  assert.ok(found.kind === 'found');
  assert.deepEqual(found.params, { id: '1', path: 'dir/file.txt' });
});

test('a wrong method says which are right; everything else is unknown', () => {
  assert.deepEqual(match('PUT', '/a/1'), { kind: 'wrong-method', allowed: ['DELETE', 'GET'] });
  for (const path of ['/', '/a', '/a/', '/a/1/', '/a/%zz', '/a/%00']) assert.equal(match('GET', path).kind, 'unknown');
});

test('two rows for the same method and path are an error', () => {
  assert.throws(
    () =>
      createRouter([
        { method: 'GET', path: '/x' },
        { method: 'GET', path: '/x' },
      ]),
    /two routes/,
  );
});
