import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openTamperedWorld, type TamperedWorld } from './tampered-world.ts';

const RUNS = Number(process.env.FUMEHOOD_VERIFY_RUNS ?? 60);
const WRITERS = 4;
/** In the longer mode the log must not grow faster than it is verified again and again. */
const PAUSE_MS = RUNS > 100 ? 1000 : 0;

it(`"audit verify" raises no alarm in ${RUNS} verifications while everything goes on`, {
  timeout: 120_000 + RUNS * 5_000,
}, async (t) => {
  const world = await openTamperedWorld(process.env.FUMEHOOD_VERIFY_POSTGRES);
  t.after(() => world.close());
  const load = startLoad(world);
  let size = 0;
  try {
    for (let run = 0; run < RUNS; run += 1) {
      const response = await fetch(`${world.control.url}/api/v1/audit/verify`, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.officer}`, 'content-type': 'application/json' },
        body: '{}',
      });
      const found = (await response.json()) as { ok: boolean; size: number; findings: unknown[] };
      assert.deepEqual([response.status, found.findings], [200, []], `verification ${run}`);
      size = found.size;
    }
  } finally {
    await load.stop();
  }
  t.diagnostic(`${size} entries in the last one, ${load.acts()} acts meanwhile`);
  assert.ok(load.acts() > RUNS, `only ${load.acts()} acts went on meanwhile`);
});

/** Users, tokens, secrets, runs and objects are made, changed and removed. */
function startLoad(world: TamperedWorld): { stop(): Promise<void>; acts(): number } {
  let going = true;
  let acts = 0;
  const { url, doors } = world.control;
  const ask = async (
    token: string,
    method: string,
    address: string,
    body?: unknown,
  ): Promise<Record<string, string>> => {
    const response = await fetch(address, {
      method,
      headers: { authorization: `Bearer ${token}`, 'x-vault-token': token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${address}: ${text}`);
    acts += 1;
    return text.startsWith('{') ? (JSON.parse(text) as Record<string, string>) : {};
  };
  const work = async (writer: number, token: string): Promise<void> => {
    for (let round = 0; going; round += 1) {
      const secret = `${doors.vault}/v1/secret/data/w${writer}`;
      for (let version = 0; version < 3; version += 1) await ask(token, 'POST', secret, { data: { version } });
      if (round % 5 === 4) await ask(token, 'DELETE', secret.replace('/data/', '/metadata/'));
      const { run } = (await ask(token, 'POST', `${doors.mlflow}/api/2.0/mlflow/runs/create`, {
        experiment_id: '0',
      })) as unknown as { run: { info: { run_id: string } } };
      const artifact = `${doors.mlflow}/api/2.0/mlflow-artifacts/artifacts/0/${run.info.run_id}/artifacts/a`;
      await ask(token, 'PUT', artifact, 'x'.repeat(100));
      await ask(token, 'PUT', artifact, 'y'.repeat(100));
      await ask(token, 'DELETE', artifact);
      const made = await ask(token, 'POST', `${url}/api/v1/tokens`, { name: 'extra' });
      await ask(token, 'DELETE', `${url}/api/v1/tokens/${made.id}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const writers = Array.from({ length: WRITERS }, async (_, writer) =>
    work(writer, await world.control.user(`writer-${writer}`, 'engineer')),
  );
  const ended = Promise.allSettled(writers);
  return {
    acts: () => acts,
    stop: async () => {
      going = false;
      for (const one of await ended) if (one.status === 'rejected') throw one.reason;
    },
  };
}
