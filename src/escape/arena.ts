/** Where attacks are tried: an attacker and its neighbour in sealed sandboxes, and containers without the wall as their controls. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Handle } from '#src/drivers/driver.ts';
import { type Attack, type Outcome, outcomeOf, programOf, type Trial } from './attack.ts';
import { controlPrefix } from './left-on-host.ts';
import { createPrivilegedContainers, type PrivilegedContainers } from './privileged-container.ts';
import { differenceOf } from './runtime-differences.ts';
import { NEIGHBOUR_PORT, NEIGHBOUR_SOCKET, openSealedWorld, type SealedWorld } from './sealed-world.ts';
import { ENDED, harmTo, judge, type Result } from './verdict.ts';

const TIMEOUT_MS = 20_000;

export type Arena = {
  world: SealedWorld;
  attacker: Handle;
  neighbour: Handle;
  unsealed: PrivilegedContainers;
  runtime: string;
  /** Tries an attack on both sides. Throws when its script breaks. */
  attack(family: string, attack: Attack | Trial): Promise<Result>;
  /** Removes all; resolves with what is left, which must be nothing. */
  close(): Promise<string[]>;
};

export async function openArena(options: { runtime?: string } = {}): Promise<Arena> {
  const world = await openSealedWorld(options);
  try {
    const [attacker, neighbour] = await Promise.all([world.start('attacker'), world.start('neighbour')]);
    world.env.NEIGHBOUR_PID = String((neighbour.data as { pid: number }).pid);
    await listenIn(world, neighbour);
    const unsealed = createPrivilegedContainers(`${world.folder}/unsealed`, controlPrefix(world.folder));
    const arena: Arena = {
      world,
      attacker,
      neighbour,
      unsealed,
      runtime: options.runtime ?? 'runc',
      attack: (family, attack) => tryBoth(arena, family, attack),
      close: () => world.close(),
    };
    return arena;
  } catch (error) {
    await world.close();
    throw error;
  }
}

async function tryBoth(arena: Arena, family: string, attack: Attack | Trial): Promise<Result> {
  const isTrial = attack.control === 'beside';
  const inside = await (isTrial ? attack.inside(arena) : attackInside(arena, attack));
  const outside = await (isTrial ? attack.outside(arena) : attackOutside(arena, attack));
  const { name, attempts } = attack;
  const difference = differenceOf(arena.runtime, name);
  return { family, name, attempts, outside, inside, ...judge(attack, inside, outside, difference) };
}

/** In the shared sandbox, or in one of its own. That it or its neighbour no longer answers afterwards is a success of the attack. */
async function attackInside(arena: Arena, attack: Attack): Promise<Outcome> {
  const { world, attacker, neighbour } = arena;
  if (attack.earlier !== undefined) await beSomeoneBefore(world, attack.earlier, attack.limits);
  const isItsEnd = 'ends' in (differenceOf(arena.runtime, attack.name) ?? {});
  const handle = attack.limits === undefined && !isItsEnd ? attacker : await world.start(attack.name, attack.limits);
  const { maxOutputBytes } = attack;
  const limits = { timeoutMs: TIMEOUT_MS, ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }) };
  const ended = await world.python(handle, programOf(attack.script), limits).catch((error) => {
    if (error instanceof AppError && error.code === 'unavailable') return undefined;
    throw error;
  });
  const isFlood =
    maxOutputBytes !== undefined && ended !== undefined && (!ended.truncated || ended.stdout.length > maxOutputBytes);
  const suffered = await whoSuffered(world, neighbour, isFlood);
  const isOver = ended === undefined || !(await answers(world, handle));
  const left = handle === attacker ? [] : await world.destroy(handle);
  if (left.length > 0) return harmTo(`left on the host: ${left.join(', ')}`);
  if (suffered !== undefined) return harmTo(suffered);
  if (isOver) return ENDED;
  return planted(world, attack) ?? outcomeOf(ended);
}

async function whoSuffered(world: SealedWorld, neighbour: Handle, isFlood: boolean): Promise<string | undefined> {
  if (!(await answers(world, neighbour))) return 'the neighbour no longer answers';
  return isFlood ? 'more output than allowed' : undefined;
}

async function answers(world: SealedWorld, handle: Handle): Promise<boolean> {
  const said = await world.python(handle, 'print("alive")').catch(() => undefined);
  return said?.stdout === 'alive\n';
}

/** A tenant that leaves what it can and is destroyed. */
async function beSomeoneBefore(world: SealedWorld, script: string, limits: Attack['limits']): Promise<void> {
  const handle = await world.start('tenant-before', limits);
  const ended = await world.python(handle, programOf(`${script}\nsucceeded()`));
  const left = await world.destroy(handle);
  if (outcomeOf(ended).outcome !== 'succeeded')
    throw new Error(`the tenant before could not leave it: ${ended.stderr}`);
  if (left.length > 0) throw new Error(`the tenant before is not gone: ${left.join(', ')}`);
}

/** What the host says, where that is what counts; takes the file away again. */
function planted(world: SealedWorld, attack: Attack): Outcome | undefined {
  if (attack.plants === undefined) return undefined;
  const path = join(world.hostFolder, attack.plants);
  const found = existsSync(path);
  rmSync(path, { force: true });
  return found ? { outcome: 'succeeded', why: attack.plants } : { outcome: 'refused', why: 'nothing on the host' };
}

async function attackOutside({ world, neighbour, unsealed }: Arena, attack: Attack): Promise<Outcome> {
  const ended = await unsealed.run({
    program: programOf(attack.script, [attack.stage, attack.earlier].join('\n').trim()),
    env: world.env,
    shares: attack.shares,
    networkPath: networkOf(neighbour),
    folder: world.hostFolder,
    timeoutMs: TIMEOUT_MS,
  });
  return planted(world, attack) ?? outcomeOf(ended);
}

/** The JSON of the last line of a program's output. Throws when it broke. */
export function resultOf<T>(ended: { exitCode: number; stdout: string; stderr: string }): T {
  if (ended.exitCode !== 0)
    throw new Error(`The program broke (exit code ${ended.exitCode}): ${ended.stderr.slice(-500)}`);
  return JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as T;
}

export const networkOf = (handle: Handle): string => (handle.data as { claim: { network: string } }).claim.network;

/** A TCP port on every address and an abstract Unix socket, served until the sandbox ends. */
async function listenIn(world: SealedWorld, neighbour: Handle): Promise<void> {
  const session = await world.driver.session(neighbour);
  const source = `
import os, socket, threading
def serve(server):
    server.listen()
    while True:
        sock, _ = server.accept()
        if server.family == socket.AF_UNIX:
            socket.send_fds(sock, [b"take"], [folder])
        else:
            sock.sendall(b"here\\n")
        sock.close()
with open("/workspace/mark", "w") as file:
    file.write(${JSON.stringify(world.env.NEIGHBOUR_MARK)})
folder = os.open("/workspace", os.O_RDONLY)
tcp = socket.socket(socket.AF_INET6); tcp.bind(("::", ${NEIGHBOUR_PORT}))
unix = socket.socket(socket.AF_UNIX); unix.bind("\\0${NEIGHBOUR_SOCKET}")
threading.Thread(target=serve, args=(unix,)).start()
print("ready", flush=True)
serve(tcp)
`;
  const exec = await session.exec({ argv: ['/usr/bin/python3', '-I', '-S', '-c', source] });
  exec.result.catch(() => undefined);
  const [said] = await exec.stdout.take(1).toArray();
  if (!String(said).includes('ready')) throw new Error('the neighbour does not listen');
}
