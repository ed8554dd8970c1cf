import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { applyPolicy, removePolicy, rollbackPolicy } from './apply-policy.ts';
import { checkPolicy, testPolicies } from './check-policy.ts';
import type { ResourceKind } from './decision.ts';
import { selectDecision } from './decision-store.ts';
import { POLICIES_FOLDER } from './default-bundle.ts';
import { explainDecision } from './explain-decision.ts';
import { loadBundle } from './load-bundle.ts';
import { findOpa, type Opa } from './opa.ts';
import { openGovernance, personOf, STORES } from './test-governance.ts';
import { readUserPolicy } from './user-policy.ts';

const OLD = 'package play\n allow { input.resource == "gpu"; input.requested <= 4 }\n';
const OLD_WITH_DEFAULT = 'package a.b\ndefault allow = false\nallow { input.requested <= 4 }\n';
const NEW = 'package play\n\nallow if {\n\tinput.resource == "gpu"\n\tinput.requested <= 4\n}\n';
const gpu = (requested: number) => Buffer.from(JSON.stringify({ resource: 'gpu', requested }));
const refused =
  (code: string, words = /./) =>
  (error: unknown) => {
    const { code: got, message } = error as { code: string; message: string };
    assert.match(message, words);
    return got === code;
  };

describe('a policy as people write it', () => {
  let opa: Opa;
  let folder: string;
  before(async () => {
    opa = await findOpa();
    folder = await mkdtemp(join(tmpdir(), 'fumehood-check-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, source, converted] of [
    ['old syntax', OLD, true],
    ['old syntax with a default', OLD_WITH_DEFAULT, true],
    ['new syntax', NEW, false],
  ] as const) {
    it(`decides in ${name}, undefined being no`, async () => {
      const policy = await readUserPolicy(opa, source);
      assert.equal(policy.converted, converted);
      assert.match(policy.source, /allow if/);
      const bundle = await loadBundle(policy.bundle);
      assert.equal(bundle.evaluate(gpu(4)).allowed, true);
      assert.equal(bundle.evaluate(gpu(8)).allowed, false);
      assert.equal(bundle.evaluate(Buffer.from('{}')).allowed, false);
    });
  }

  it('a deny set refuses with its messages, and alone allows what it does not name', async () => {
    const policy = await readUserPolicy(opa, 'package p\ndeny[msg] { input.requested > 4; msg := "too many" }');
    const bundle = await loadBundle(policy.bundle);
    assert.deepEqual(bundle.evaluate(gpu(8)), { allowed: false, reasons: [{ code: 'deny', message: 'too many' }] });
    assert.equal(bundle.evaluate(gpu(4)).allowed, true);
  });

  it('names the builtin that the engine lacks', async () => {
    const source =
      'package p\nallow if http.send({"url": input.u, "method": "get"}).status_code == 200\nallow if time.now_ns() > 1';
    await assert.rejects(readUserPolicy(opa, source), refused('invalid', /http\.send, time\.now_ns/));
  });

  it('says file, line and column of what does not parse or type-check', async () => {
    await assert.rejects(
      readUserPolicy(opa, 'package p\nallow if {', 'x.rego'),
      refused('invalid', /x\.rego:\d+:\d+: /),
    );
    await assert.rejects(
      readUserPolicy(opa, 'package p\nallow if nothing(1)', 'x.rego'),
      refused('invalid', /x\.rego:2:10: .*nothing/),
    );
    await assert.rejects(readUserPolicy(opa, 'package p\nother := 1'), refused('invalid', /neither a rule allow nor/));
  });

  it('denies, and decides on, when an evaluation runs out of memory', async () => {
    const source = 'package p\nallow if count([x | some x in numbers.range(1, input.requested)]) == input.requested';
    const bundle = await loadBundle((await readUserPolicy(opa, source)).bundle);
    assert.equal(bundle.evaluate(gpu(20_000_000)).allowed, false);
    assert.equal(bundle.evaluate(gpu(10)).allowed, true);
  });

  it('denies what took the processor too long, and not what waited for it', async () => {
    const { bundle } = await readUserPolicy(opa, NEW);
    const watch = (stepMs: number) => {
      let nowMs = 0;
      return () => {
        nowMs += stepMs;
        return nowMs;
      };
    };
    const slow = await loadBundle(bundle, { wallMs: watch(300), cpuMs: watch(300) });
    assert.deepEqual(slow.evaluate(gpu(1)).reasons[0]?.code, 'timeout');
    const busy = await loadBundle(bundle, { wallMs: watch(300), cpuMs: watch(1) });
    assert.deepEqual(busy.evaluate(gpu(1)), { allowed: true, reasons: [] });
    assert.equal(busy.evaluate(gpu(9)).allowed, false);
  });

  it('is checked without a server, with its tests and their coverage', async () => {
    const file = join(folder, 'gpu.rego');
    await writeFile(file, NEW);
    await writeFile(
      join(folder, 'gpu_test.rego'),
      'package play\n\ntest_four if allow with input as {"resource": "gpu", "requested": 4}\n',
    );
    const checked = await checkPolicy(file, opa);
    assert.equal(checked.tests?.passed, 1);
    assert.ok((checked.tests?.coverage ?? 0) > 0);
    await writeFile(
      join(folder, 'gpu_test.rego'),
      'package play\n\ntest_five if allow with input as {"requested": 5}\n',
    );
    await assert.rejects(checkPolicy(file, opa), refused('invalid', /1 of 1 policy tests failed.*test_five/));
    await assert.rejects(checkPolicy(join(folder, 'none.rego'), opa), refused('not_found'));
  });

  it('the tests of the default bundle pass and reach nearly all of it', async () => {
    const report = await testPolicies(join(POLICIES_FOLDER, 'default'), opa);
    assert.equal(report.failed, 0);
    assert.ok(report.passed >= 57);
    assert.ok(report.coverage > 85, `coverage ${report.coverage}`);
  });

  it('a missing opa is told with the command that installs it', async () => {
    await assert.rejects(findOpa({ PATH: folder, HOME: folder }), (error: { code: string; hint: string }) => {
      assert.match(error.hint, /go install .*open-policy-agent\/opa@v/);
      return error.code === 'unavailable';
    });
  });
});

for (const store of STORES) {
  describe(`applied policies on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    before(async () => {
      world = await openGovernance(store.url);
    });
    after(() => world.close());
    const olga = { identity: personOf('olga', 'officer'), requestId: 'req-1' };
    const apply = (source: string, kinds: ResourceKind[] = ['gpu']) =>
      applyPolicy(world.policies, olga, { name: 'gpu-limit', for: kinds, source });
    const ask = async (requested: number) => {
      const decision = await world.database.read((reader) =>
        world.decider.decide(reader, {
          subject: { ...personOf('erin', 'engineer'), labels: [] },
          questions: [
            { action: 'sandbox.create', resource: 'gpu', requested, object: { type: 'gpu', id: 'gpu', labels: [] } },
          ],
          requestId: 'req-2',
        }),
      );
      await world.database.transaction((tx) => world.decider.record(tx, decision));
      return decision;
    };

    it('hold from the next decision on, are versioned, and roll back', async () => {
      assert.equal((await ask(2)).allowed, true);
      const first = await apply(OLD.replace('<= 4', '<= 1'));
      assert.deepEqual([first.applied.version, first.policy.converted], [1, true]);
      assert.equal((await ask(2)).allowed, false);
      await apply(NEW);
      assert.equal((await ask(2)).allowed, true);
      assert.equal((await rollbackPolicy(world.policies, olga, { name: 'gpu-limit' })).version, 3);
      assert.equal((await ask(2)).allowed, false);
    });

    it('explain says in words, with line and value, what was not true, also after the policy changed', async () => {
      const { id } = await ask(3);
      await removePolicy(world.policies, olga, 'gpu-limit');
      assert.equal((await ask(3)).allowed, true);
      const opa = await findOpa();
      const explanation = await world.database.read(async (reader) => {
        const stored = await selectDecision(reader, id);
        assert.ok(stored);
        return explainDecision({ reader, opa }, stored);
      });
      assert.equal(explanation.allowed, false);
      assert.match(explanation.summary[0] ?? '', /^Denied: Policy "gpu-limit"/);
      assert.ok(
        explanation.summary.some((line) =>
          /gpu-limit\.rego:\d+: input\.requested <= 1 was not true: input\.requested = 3/.test(line),
        ),
        explanation.summary.join('\n'),
      );
    });

    it('change nothing when they do not compile, or when the caller is no officer', async () => {
      await assert.rejects(apply('package p\nallow if {'), refused('invalid'));
      const erin = { identity: personOf('erin', 'engineer'), requestId: 'r' };
      const request = { name: 'mine', for: ['gpu' as const], source: NEW };
      await assert.rejects(applyPolicy(world.policies, erin, request), refused('denied'));
      assert.deepEqual(world.registry.all(), []);
    });
  });
}
