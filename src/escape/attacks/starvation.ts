import type { Handle } from '#src/drivers/driver.ts';
import { type Arena, resultOf } from '../arena.ts';
import type { Family, Outcome, Trial } from '../attack.ts';
import type { SealedWorld } from '../sealed-world.ts';

/** How many times longer a neighbour's work may take while it is under attack: generous, since machines are busy with other things too. */
const BOUND = 4;
const ROUNDS = 3;
const TRIES = 3;
const WORK_TIMEOUT_MS = 120_000;
const SPINNERS = 24;
const ATTACK_SECONDS = 60;

const SPIN = `
import os, time
for _ in range(${SPINNERS}):
    if os.fork() == 0:
        end = time.monotonic() + ${ATTACK_SECONDS}
        while time.monotonic() < end:
            pass
        os._exit(0)
print("attacking", flush=True)
time.sleep(${ATTACK_SECONDS})
`;

const WRITE = `
import os, time
block = os.urandom(1 << 20)
end = time.monotonic() + ${ATTACK_SECONDS}
for number in range(4):
    if os.fork() == 0:
        while time.monotonic() < end:
            with open(f"/workspace/flood-{number}", "wb", buffering=0) as file:
                for _ in range(11):
                    file.write(block)
                os.fdatasync(file.fileno())
        os._exit(0)
print("attacking", flush=True)
time.sleep(${ATTACK_SECONDS})
`;

/** Seconds that a neighbour's work takes. */
const WORK = `
import json, time
started = time.perf_counter()
for number in range(1500000):
    pass
print(json.dumps(time.perf_counter() - started))
`;

const SMALL_WRITES = `
import json, os, time
started = time.perf_counter()
with open("/workspace/small", "wb", buffering=0) as file:
    for _ in range(20):
        file.write(bytes(4096))
        os.fdatasync(file.fileno())
print(json.dumps(time.perf_counter() - started))
`;

/** The shortest of some runs: others' load makes some of them longer, never one shorter. */
async function shortest(world: SealedWorld, who: Handle, work: string): Promise<number> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    seconds.push(resultOf<number>(await world.python(who, work, { timeoutMs: WORK_TIMEOUT_MS })));
  return Math.min(...seconds);
}

/** Tries again when a machine that is busy with other things may have decided: a wall that does not hold shows in every try. */
async function measure(arena: Arena, victim: Handle, load: Load, wanted: Outcome['outcome']): Promise<Outcome> {
  let outcome: Outcome;
  let tries = 0;
  do {
    const ratio = await slowdown(arena, victim, load);
    tries += 1;
    outcome =
      ratio <= BOUND
        ? { outcome: 'refused', why: 'bounded' }
        : { outcome: 'succeeded', why: `${ratio.toFixed(1)} times as long` };
  } while (outcome.outcome !== wanted && tries < TRIES);
  return outcome;
}

/** How many times longer work takes in the sandbox `victim` while the attacker runs a flood in its own. */
async function slowdown({ world, attacker }: Arena, victim: Handle, load: Load): Promise<number> {
  const alone = await shortest(world, victim, load.work);
  const idle = (await world.driver.stats(attacker)).pids;
  const session = await world.driver.session(attacker);
  const flood = await session.exec({ argv: ['/usr/bin/python3', '-I', '-S', '-c', load.flood] });
  flood.result.catch(() => undefined);
  await flood.stdout.take(1).toArray();
  try {
    return (await shortest(world, victim, load.work)) / alone;
  } finally {
    flood.signal('KILL');
    await flood.result;
    await quiet(world, attacker, idle);
  }
}

/** Until the flood's processes are gone, so that it does not reach into what is measured next. */
async function quiet({ driver }: SealedWorld, who: Handle, processes: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while ((await driver.stats(who)).pids > processes && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 100));
}

type Load = { flood: string; work: string };

const starves = (name: string, attempts: string, load: Load): Trial => ({
  name,
  attempts,
  refusedBy: ['bounded'],
  control: 'beside',
  without: 'both in one sandbox',
  inside: (arena) => measure(arena, arena.neighbour, load, 'refused'),
  outside: (arena) => measure(arena, arena.attacker, load, 'succeeded'),
});

/** Keeping a neighbour from its work, measured at the neighbour. */
export const starvation: Family = {
  name: 'starvation',
  title: 'starvation of a neighbour',
  attacks: [
    starves('starve-of-processor-time', 'keeps a neighbour from the processors', { flood: SPIN, work: WORK }),
    starves('starve-of-disk', 'keeps a neighbour from the disk', { flood: WRITE, work: SMALL_WRITES }),
  ],
};
