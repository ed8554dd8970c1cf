/** Every attack that is a script, in a sealed sandbox and in a container without the wall. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Arena, openArena } from '#src/escape/arena.ts';
import { FAMILIES } from '#src/escape/attacks/families.ts';
import { differenceOf } from '#src/escape/runtime-differences.ts';
import { isLacking } from '#src/escape/verdict.ts';

/** `FUMEHOOD_TEST_RUNTIME=runsc` attacks sandboxes of gVisor. */
const RUNTIME = process.env.FUMEHOOD_TEST_RUNTIME ?? 'runc';

let arena: Arena;

before(async () => {
  arena = await openArena({ runtime: RUNTIME });
});

after(async () => {
  assert.deepEqual(await arena.close(), [], 'something was left on the host');
});

for (const { name, title, attacks } of FAMILIES) {
  describe(title, () => {
    for (const attack of attacks)
      test(`${attack.name} is refused (${attack.attempts})`, async (context) => {
        const { inside, outside, verdict, reason } = await arena.attack(name, attack);
        const isKnown = isLacking(attack, outside) || differenceOf(RUNTIME, attack.name) !== undefined;
        if (verdict === 'not shown' && isKnown) return context.skip(reason);
        assert.equal(verdict, 'held', reason || `the attack succeeded in the sandbox: ${inside.why}`);
        context.diagnostic(`inside ${inside.why}, outside ${outside.why || 'done'}`);
      });
  });
}
