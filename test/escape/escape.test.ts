import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Handle } from '#src/drivers/driver.ts';
import { type Attack, type Outcome, outcomeOf, programOf } from './attack.ts';
import { FAMILIES } from './attacks/families.ts';
import { controlPrefix } from './left-on-host.ts';
import { createPrivilegedContainers, type PrivilegedContainers } from './privileged-container.ts';
import { NEIGHBOUR_PORT, NEIGHBOUR_SOCKET, openSealedWorld, type SealedWorld } from './sealed-world.ts';

/** Reasons of a kernel that was built without something, in a control that has every right. */
const NOT_BUILT_IN = new Set(
  'ENOSYS EAFNOSUPPORT EPROTONOSUPPORT ENODEV ENOENT EOPNOTSUPP ENXIO ENODATA ESOCKTNOSUPPORT SIGSEGV EINVAL EPERM EACCES'.split(
    ' ',
  ),
);
const TIMEOUT_MS = 20_000;

let world: SealedWorld;
let shared: Handle;
let neighbour: Handle;
let unsealed: PrivilegedContainers;

before(async () => {
  world = await openSealedWorld();
  [shared, neighbour] = await Promise.all([world.start('attacker'), world.start('neighbour')]);
  await listenInNeighbour();
  unsealed = createPrivilegedContainers(`${world.folder}/unsealed`, controlPrefix(world.folder));
});

after(async () => {
  assert.deepEqual(await world.close(), [], 'something was left on the host');
});

for (const { title, attacks } of FAMILIES) {
  describe(title, () => {
    for (const attack of attacks)
      test(`${attack.name} is refused (${attack.attempts})`, (context) => attackBoth(attack, context));
  });
}

async function attackBoth(attack: Attack, context: TestContext): Promise<void> {
  const inside = await attackInside(attack);
  assert.equal(inside.outcome, 'refused', `the attack succeeded in the sandbox: ${inside.why}`);
  assert.ok(attack.refusedBy.includes(inside.why), `stopped by ${inside.why}, not by ${attack.refusedBy.join(' or ')}`);
  const outside = await attackOutside(attack);
  const lacks = attack.mayLack !== undefined && outside.outcome === 'refused' && NOT_BUILT_IN.has(outside.why);
  if (lacks) return context.skip(`this machine lacks ${attack.mayLack} (${outside.why} with every right)`);
  assert.equal(outside.outcome, 'succeeded', `the attack does not even work unsealed: ${outside.why}`);
  context.diagnostic(`inside ${inside.why}, outside ${outside.why || 'done'}`);
}

/** In the shared sandbox, or in one of its own that must still answer afterwards. */
async function attackInside(attack: Attack): Promise<Outcome> {
  if (attack.earlier !== undefined) await beSomeoneBefore(attack.earlier, attack.limits);
  const handle = attack.limits === undefined ? shared : await world.start(attack.name, attack.limits);
  const program = programOf(attack.script);
  const { maxOutputBytes } = attack;
  const ended = await world.python(handle, program, {
    timeoutMs: TIMEOUT_MS,
    ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }),
  });
  if (maxOutputBytes !== undefined) assert.ok(ended.truncated && ended.stdout.length <= maxOutputBytes);
  const alive = await world.python(handle, 'print("alive")');
  assert.equal(alive.stdout, 'alive\n', 'the sandbox no longer answers after the attack');
  const beside = await world.python(neighbour, 'print("alive")');
  assert.equal(beside.stdout, 'alive\n', 'the neighbour no longer answers after the attack');
  if (handle !== shared) assert.deepEqual(await world.driver.destroy(handle), []);
  return planted(attack) ?? outcomeOf(ended);
}

/** A tenant that leaves what it can and is destroyed. */
async function beSomeoneBefore(script: string, limits: Attack['limits']): Promise<void> {
  const handle = await world.start('tenant-before', limits);
  const ended = await world.python(handle, programOf(`${script}\nsucceeded()`));
  assert.equal(outcomeOf(ended).outcome, 'succeeded', ended.stderr);
  assert.deepEqual(await world.driver.destroy(handle), []);
}

/** What the host says, where that is what counts; takes the file away again. */
function planted(attack: Attack): Outcome | undefined {
  if (attack.plants === undefined) return undefined;
  const path = join(world.hostFolder, attack.plants);
  const found = existsSync(path);
  rmSync(path, { force: true });
  return found ? { outcome: 'succeeded', why: attack.plants } : { outcome: 'refused', why: 'nothing on the host' };
}

async function attackOutside(attack: Attack): Promise<Outcome> {
  const ended = await unsealed.run({
    program: programOf(attack.script, [attack.stage, attack.earlier].join('\n').trim()),
    env: world.env,
    shares: attack.shares,
    networkPath: networkOf(neighbour),
    folder: world.hostFolder,
    timeoutMs: TIMEOUT_MS,
  });
  return planted(attack) ?? outcomeOf(ended);
}

const networkOf = (handle: Handle): string => (handle.data as { claim: { network: string } }).claim.network;

/** A TCP port on every address and an abstract Unix socket, served until the sandbox ends. */
async function listenInNeighbour(): Promise<void> {
  const session = await world.driver.session(neighbour);
  const source = `
import socket, threading
def serve(server):
    server.listen()
    while True:
        sock, _ = server.accept()
        sock.sendall(b"here\\n")
        sock.close()
tcp = socket.socket(socket.AF_INET6); tcp.bind(("::", ${NEIGHBOUR_PORT}))
unix = socket.socket(socket.AF_UNIX); unix.bind("\\0${NEIGHBOUR_SOCKET}")
threading.Thread(target=serve, args=(unix,)).start()
print("ready", flush=True)
serve(tcp)
`;
  const exec = await session.exec({ argv: ['/usr/bin/python3', '-I', '-S', '-c', source] });
  exec.result.catch(() => undefined);
  const [said] = await exec.stdout.take(1).toArray();
  assert.match(String(said), /ready/);
}
