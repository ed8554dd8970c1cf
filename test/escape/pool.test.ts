/** A sandbox that was made ready before it was asked for is as sealed as one that is made on the spot. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Handle, templateOf } from '#src/drivers/driver.ts';
import { outcomeOf, programOf } from '#src/escape/attack.ts';
import { FAMILIES } from '#src/escape/attacks/families.ts';
import { NEIGHBOUR_PORT, openSealedWorld, type SealedWorld, startOptions } from '#src/escape/sealed-world.ts';

const DOORS = { mlflow: 5000 };

let world: SealedWorld;
let first: Handle;

before(async () => {
  world = await openSealedWorld({ doors: DOORS });
  const template = templateOf(startOptions('template', DOORS, {}));
  await world.driver.prepare({ networks: 2, workspaces: 2, warm: [{ count: 2, template }] });
  const phases: string[] = [];
  const onPhase = (phase: string): void => void phases.push(phase);
  const other = await world.driver.start({ ...startOptions('other', DOORS, {}), onPhase });
  assert.deepEqual(phases, ['claim'], 'what was made ahead is taken, and nothing is made');
  assert.deepEqual(await world.destroy(other), []);
  first = await world.start('claimed');
});

after(async () => {
  assert.deepEqual(await world.close(), [], 'something was left on the host');
});

for (const { title, attacks } of FAMILIES) {
  test(`what is refused elsewhere is refused in a sandbox from the pool: ${title}`, async () => {
    for (const attack of attacks) {
      if (attack.control === 'beside' || attack.limits !== undefined || attack.plants !== undefined) continue;
      const { maxOutputBytes } = attack;
      const ended = await world.python(
        first,
        programOf(attack.script),
        maxOutputBytes === undefined ? {} : { maxOutputBytes },
      );
      const { outcome, why } = outcomeOf(ended);
      assert.equal(outcome, 'refused', `${attack.name} succeeded: ${why}`);
      assert.ok(attack.refusedBy.includes(why), `${attack.name}: stopped by ${why}`);
    }
  });
}

test('the second tenant of a pool finds nothing of the first, and is not taken for it', async () => {
  const leave = `
for folder in ("/workspace", "/tmp", "/dev/shm"):
    open(folder + "/left-behind", "w").close()
server = socket.socket(); server.bind(("127.0.0.1", ${NEIGHBOUR_PORT})); server.listen()
succeeded()`;
  assert.equal(outcomeOf(await world.python(first, programOf(leave))).outcome, 'succeeded');
  const second = await world.start('second');
  const look = `each(["/workspace", "/tmp", "/dev/shm"], lambda folder: os.stat(folder + "/left-behind") and None)`;
  assert.deepEqual(outcomeOf(await world.python(first, programOf(look))).outcome, 'succeeded');
  assert.deepEqual(outcomeOf(await world.python(second, programOf(look))), { outcome: 'refused', why: 'ENOENT' });
  const ask = `
with socket.create_connection(("127.0.0.1", 5000), 2) as sock:
    sock.sendall(b"hello")
    succeeded(sock.recv(100).decode().strip())`;
  for (const [handle, id] of [
    [first, 'sb-claimed'],
    [second, 'sb-second'],
  ] as const)
    assert.equal(outcomeOf(await world.python(handle, programOf(ask))).why, `you are ${id}`);
});
