import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#kernel/clock.ts';
import { randomIds } from '#kernel/ids.ts';
import { openWorld } from '#src/objects/test-objects.ts';
import { createDecider } from '#src/policies/decide.ts';
import { readDefaultBundle } from '#src/policies/default-bundle.ts';
import { loadBundle } from '#src/policies/load-bundle.ts';
import { createPolicyRegistry } from '#src/policies/policy-registry.ts';
import { pythonWith, runPython } from './python-clients.ts';
import { type S3Server, SANDBOX_ID, startS3 } from './s3-server.ts';

for (const where of ['outside', 'inside'] as const) {
  describe(`S3 clients ${where === 'outside' ? 'outside of sandboxes' : 'in a sandbox'}`, () => {
    let server: S3Server;
    let python = '';
    let variables: Record<string, string> = {};
    before(async () => {
      python = await pythonWith('s3', ['s3fs>=2025.3', 'boto3']);
      const bundle = await loadBundle(readDefaultBundle());
      const decider = createDecider({
        registry: createPolicyRegistry(bundle),
        clock: systemClock,
        ids: randomIds,
        approvalsInForce: async () => [],
        usageOf: async () => ({}),
      });
      server = await startS3(await openWorld({ decider }));
      const sandboxId = where === 'inside' ? { sandboxId: SANDBOX_ID } : {};
      const key = await server.issue(sandboxId);
      const reader = await server.issue({ ...sandboxId, readOnly: true });
      const expired = await server.issue({ ...sandboxId, ttlMs: -1 });
      variables = {
        WHERE: where,
        ENDPOINT: server[where],
        KEY: key.accessKeyId,
        SECRET: key.secretAccessKey,
        READER_KEY: reader.accessKeyId,
        READER_SECRET: reader.secretAccessKey,
        EXPIRED_KEY: expired.accessKeyId,
        EXPIRED_SECRET: expired.secretAccessKey,
      };
    });
    after(() => server.close());

    for (const script of ['s3_boto3.py', 's3_s3fs.py']) {
      it(`${script.slice(3, -3)} works as its documentation shows under the default policy, and every attempt is an entry`, async () => {
        const entries = server.world.entries.length;
        const { code, output } = await runPython(python, script, variables);
        assert.equal(code, 0, `${output}\n${server.errors.join('\n')}`);
        assert.match(output, /ok\n$/);
        assert.deepEqual(server.errors, []);
        assert.ok(server.world.entries.length > entries + 20);
      });
    }
  });
}
