/**
 * A preload (`node --import`) that watches the main event loop of a control plane under measurement; nothing of it is in the product. It does
 * nothing in other processes and threads. What was seen since the last look goes to whoever connects to the socket `FUMEHOOD_BENCH_LOOP`.
 */
import { rmSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { type Profile, stacksIn } from './loop-stacks.ts';

/** Delays of the loop in ms; `computedMs` is the most processor time that the main thread took between two looks, which is one turn of the loop or a little more. */
export type LoopDelays = { longestMs: number; p99Ms: number; computedMs: number; stacks: string[] };

/** A delay is told from the resolution of the timer that sees it. */
const RESOLUTION_MS = 2;
const LONG_TURN_MS = 15;
/** Jobs of every minute or ten come as often as this, so that a short measurement sees them. */
const LONGEST_INTERVAL_MS = 3000;

const path = process.env.FUMEHOOD_BENCH_LOOP;
const isControlPlane = process.argv.includes('up') && !process.argv.includes('--detach');
if (path !== undefined && isMainThread && isControlPlane) watch(path, process.env.FUMEHOOD_BENCH_STACKS !== undefined);

function watch(socket: string, withStacks: boolean): void {
  hasten();
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const turns = watchTurns();
  const profiler = withStacks ? createProfiler() : undefined;
  const look = async (): Promise<LoopDelays> => {
    const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
    const { computedMs, long } = turns.take();
    const seen = { longestMs: ms(delay.max), p99Ms: ms(delay.percentile(99)), computedMs };
    const stacks = (await profiler?.stacks(long)) ?? [];
    // Looking has taken its time too.
    turns.take();
    delay.reset();
    return { ...seen, stacks };
  };
  // One that was killed has left its own.
  rmSync(socket, { force: true });
  createServer((connection) => {
    connection.on('error', () => undefined);
    void look().then((seen) => connection.end(JSON.stringify(seen)));
  })
    .listen(socket)
    .unref();
}

/** A turn, in microseconds of the monotonic clock. */
export type Turn = { from: number; to: number };

function watchTurns(): { take(): { computedMs: number; long: Turn[] } } {
  const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [at, used, most] = [nowUs(), cpuMs(), 0];
  let long: Turn[] = [];
  setInterval(() => {
    const [now, cpu] = [nowUs(), cpuMs()];
    most = Math.max(most, cpu - used);
    if (cpu - used > LONG_TURN_MS) long.push({ from: at, to: now });
    [at, used] = [now, cpu];
  }, RESOLUTION_MS).unref();
  return {
    take: () => {
      const seen = { computedMs: most, long };
      [at, used, most, long] = [nowUs(), cpuMs(), 0, []];
      return seen;
    },
  };
}

function hasten(): void {
  const original = globalThis.setInterval;
  const hastened = (work: () => void, ms: number): NodeJS.Timeout => original(work, Math.min(ms, LONGEST_INTERVAL_MS));
  globalThis.setInterval = Object.assign(hastened, original);
}

/** Samples the main thread; tells what it did in long turns. */
function createProfiler(): { stacks(long: readonly Turn[]): Promise<string[]> } {
  const session = new Session();
  session.connect();
  const post = (method: string, options = {}): Promise<{ profile: Profile }> =>
    new Promise((resolve, reject) => {
      session.post(method, options, (error, answer) =>
        error === null ? resolve(answer as { profile: Profile }) : reject(error),
      );
    });
  const begin = (): Promise<unknown> => post('Profiler.start');
  void post('Profiler.enable')
    .then(() => post('Profiler.setSamplingInterval', { interval: 500 }))
    .then(begin);
  return {
    stacks: async (long) => {
      const { profile } = await post('Profiler.stop');
      await begin();
      return stacksIn(profile, long);
    },
  };
}
