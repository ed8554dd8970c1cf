import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestArrival } from '#src/telemetry/watch-requests.ts';
import { startApi } from './api-fixture.ts';

test('what is open needs no token, everything else does, and an open path is open to GET alone', async () => {
  const api = await startApi({ open: { '/ready': async () => ({ status: 503, type: 'text/plain', body: 'no' }) } });
  try {
    const answer = await fetch(`${api.url}/ready`);
    assert.deepEqual([answer.status, await answer.text()], [503, 'no']);
    for (const [path, method] of [
      ['/ready', 'POST'],
      ['/ready/', 'GET'],
      ['/api/v1/things/x', 'GET'],
    ])
      assert.equal((await fetch(api.url + path, { method: method ?? '' })).status, 401, `${method} ${path}`);
  } finally {
    await api.close();
  }
});

test('every request is watched to its end by the template of its route, never by the path that was asked for', async () => {
  const seen: [string, number, string | undefined][] = [];
  const watch = ({ request }: RequestArrival) => ({
    within: <T>(work: () => Promise<T>) => work(),
    end: ({ status, route }: { status: number; route: string | undefined }) =>
      void seen.push([request.method ?? '', status, route]),
  });
  const api = await startApi({ watch });
  try {
    const headers = { authorization: 'Bearer good' };
    for (const path of ['/api/v1/things/x?depth=2', '/api/v1/chosen-by-the-client', '/api/v1/broken', '/healthz'])
      await (await fetch(api.url + path, { headers })).arrayBuffer();
    const deadline = Date.now() + 30_000;
    while (seen.length < 4 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(seen, [
      ['GET', 200, '/api/v1/things/:id'],
      ['GET', 404, undefined],
      ['GET', 500, '/api/v1/broken'],
      ['GET', 200, '/healthz'],
    ]);
  } finally {
    await api.close();
  }
});
