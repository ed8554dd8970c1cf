import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { Handle } from '#src/drivers/driver.ts';
import type { Arena } from '../arena.ts';
import { type Family, type Outcome, outcomeOf, programOf } from '../attack.ts';
import type { SealedWorld } from '../sealed-world.ts';

const FLOWS = 300;

/** Makes the dynamic linker of every program write a file on the host, as a library that is loaded into host tools would. */
const loaderVariables = (world: SealedWorld): Record<string, string> => ({
  LD_DEBUG: 'statistics',
  LD_DEBUG_OUTPUT: join(world.hostFolder, 'loaded'),
});

/** Takes the linker's files away and says whether there were any. */
function loadedOnHost({ hostFolder }: SealedWorld): Outcome {
  const files = readdirSync(hostFolder).filter((name) => name.startsWith('loaded.'));
  for (const name of files) rmSync(join(hostFolder, name));
  return files.length > 0
    ? { outcome: 'succeeded', why: `${files.length} program(s) of the host` }
    : { outcome: 'refused', why: 'no program of the host' };
}

/** Starts, uses and ends a sandbox whose image or spec has these variables: runtime and helper run meanwhile. */
async function loadIntoHostTools({ world }: Arena): Promise<Outcome> {
  const handle = await world.start('preloads', {}, loaderVariables(world));
  await world.python(handle, 'pass');
  await world.destroy(handle);
  return loadedOnHost(world);
}

const DRAW = `
import random, uuid
print(random.getrandbits(64), uuid.uuid4())
`;

async function drawWarm(world: SealedWorld, handle: Handle): Promise<string> {
  const session = await world.driver.session(handle);
  const exec = await session.runPython({ source: DRAW });
  exec.stdin.end();
  const said = await text(exec.stdout);
  await exec.result;
  return said;
}

/** Two calls of one warm interpreter and one of another sandbox's. */
async function drawTwice({ world, attacker, neighbour }: Arena): Promise<Outcome> {
  const draws = [await drawWarm(world, attacker), await drawWarm(world, attacker), await drawWarm(world, neighbour)];
  const drawn = draws.flatMap((said) => said.trim().split(' '));
  if (drawn.length !== 2 * draws.length) throw new Error(`The draws broke: ${draws.join('')}`);
  return new Set(drawn).size === drawn.length
    ? { outcome: 'refused', why: 'all differ' }
    : { outcome: 'succeeded', why: 'the same numbers' };
}

/** Forks that are not seeded anew. */
const UNSEEDED = `
import random
reading, writing = os.pipe()
state = random.getstate()
for _ in range(2):
    if os.fork() == 0:
        random.setstate(state)
        os.write(writing, b"%20d" % random.getrandbits(64))
        os._exit(0)
    os.wait()
one, other = os.read(reading, 20), os.read(reading, 20)
succeeded("the same numbers") if one == other else refused("all differ")`;

const TRACKED = '/proc/sys/net/netfilter/nf_conntrack_count';

const OPEN_FLOWS = `
ends = []
for port in range(20000, ${20000 + FLOWS}):
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("127.0.0.1", port))
    end.sendto(b"x", ("127.0.0.1", port))
    ends.append(end)
time.sleep(0.2)
succeeded()`;

async function growthOfTable(open: () => Promise<unknown>): Promise<Outcome> {
  const count = (): number => Number(readFileSync(TRACKED, 'utf8'));
  let before: number;
  try {
    before = count();
  } catch {
    return { outcome: 'refused', why: 'ENOENT' };
  }
  await open();
  const grown = count() - before;
  return grown >= FLOWS / 2
    ? { outcome: 'succeeded', why: `${grown} entries` }
    : { outcome: 'refused', why: 'ENODATA' };
}

/** What shows on the host and not in the sandbox. */
export const hostView: Family = {
  name: 'host-view',
  title: 'seen from the host',
  attacks: [
    {
      name: 'preload-into-host-tools',
      attempts: 'has its variables reach the linker of runtime and helper on the host (CVE-2025-23266)',
      refusedBy: ['no program of the host'],
      control: 'beside',
      without: 'a program of the host with these variables',
      inside: loadIntoHostTools,
      outside: async ({ world }) => {
        await promisify(execFile)('/usr/bin/true', { env: loaderVariables(world) });
        return loadedOnHost(world);
      },
    },
    {
      name: 'random-state-of-clones',
      attempts: 'foresees what its clones draw: calls of a warm interpreter, and sandboxes of one template',
      refusedBy: ['all differ'],
      control: 'beside',
      without: 'clones that are not seeded anew',
      inside: drawTwice,
      outside: async ({ world, unsealed }) =>
        outcomeOf(
          await unsealed.run({
            program: programOf(UNSEEDED),
            env: world.env,
            folder: world.hostFolder,
            timeoutMs: 20_000,
          }),
        ),
    },
    {
      name: 'connection-tracking',
      attempts: "fills the host's table of tracked connections",
      refusedBy: ['ENODATA', 'ENOENT'],
      mayLack: 'connections that are tracked',
      control: 'beside',
      without: 'a container in the network of the host',
      inside: ({ world, attacker }) => growthOfTable(() => world.python(attacker, programOf(OPEN_FLOWS))),
      outside: ({ world, unsealed }) =>
        growthOfTable(() =>
          unsealed.run({
            program: programOf(OPEN_FLOWS),
            env: world.env,
            shares: 'host-network',
            folder: world.hostFolder,
            timeoutMs: 20_000,
          }),
        ),
    },
  ],
};
