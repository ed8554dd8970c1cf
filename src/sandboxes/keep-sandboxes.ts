/** The keeper: recovers what outlived a restart, ends what is over its time, and says why. */
import { AppError } from '#kernel/errors.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import { endSandbox, finishDelete } from './delete-sandbox.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import { lastKernelWork } from './notebook-server.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import {
  insertSandboxEvent,
  selectSandboxesInStates,
  updateSandboxState,
  updateSandboxTimes,
} from './sandbox-store.ts';
import { crossAbout, type Use } from './use-sandbox.ts';

/** A sandbox below this share of one core, with no exec, is idle. */
const IDLE_CPU_SHARE = 0.05;
const ASK_KERNELS_EVERY_MS = 60_000;
/** Each waits for its agent most of the time. */
const RECOVERED_AT_ONCE = 16;

/** After a start of the control plane: every sandbox that still runs works again, what is left of the others is removed. */
export async function recoverSandboxes(deps: SandboxDeps): Promise<{ recovered: number; removed: number }> {
  const stored = await deps.database.read((reader) =>
    selectSandboxesInStates(reader, ['starting', 'running', 'stopping', 'stopped', 'deleting', 'failed']),
  );
  const [kept, others] = [stored.filter(isKept), stored.filter((one) => !isKept(one))];
  // What is kept and what is removed have nothing on the host in common.
  const [recovered] = await Promise.all([
    recoverAll(deps, kept),
    deps.driver.inventory({ keep: kept.map((one) => one.id), remove: true }),
  ]);
  for (const sandbox of others) await recoverOne(deps, sandbox);
  return { recovered, removed: stored.length - recovered };
}

const isKept = ({ handle, state }: Sandbox): boolean => handle !== null && (state === 'running' || state === 'stopped');

/** Tells how many work again. */
async function recoverAll(deps: SandboxDeps, sandboxes: Sandbox[]): Promise<number> {
  const waiting = [...sandboxes];
  let recovered = 0;
  const work = async (): Promise<void> => {
    for (let sandbox = waiting.shift(); sandbox !== undefined; sandbox = waiting.shift())
      if (await recoverOne(deps, sandbox)) recovered += 1;
  };
  await Promise.all(Array.from({ length: RECOVERED_AT_ONCE }, work));
  return recovered;
}

async function recoverOne(deps: SandboxDeps, sandbox: Sandbox): Promise<boolean> {
  const requestId = deps.ids.next('req');
  if (sandbox.state === 'stopped') return true;
  if (sandbox.state === 'running' && sandbox.handle !== null) {
    try {
      await deps.driver.recover(sandbox.handle);
      deps.live.add(sandbox, sandbox.handle, deps.clock.nowMs());
      return true;
    } catch (error) {
      deps.log('warn', 'a sandbox did not outlive the restart', { sandboxId: sandbox.id, error });
    }
    await endSandbox(deps, sandbox.id, {
      requestId,
      reason: 'it was gone when the control plane came back',
      action: 'sandbox.lost',
    });
    return false;
  }
  const reason = sandbox.state === 'starting' ? 'the control plane ended while it was starting' : sandbox.reason;
  await deps.mutex(sandbox.id, () => finishDelete(deps, sandbox.id, { requestId, reason }));
  return false;
}

/** One look at all running sandboxes: ends those whose time is over, that are idle for too long, or whose agent has gone. */
export async function reapSandboxes(deps: SandboxDeps): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const stopped = await deps.database.read((reader) => selectSandboxesInStates(reader, ['stopped']));
  for (const sandbox of stopped.filter((one) => nowMs >= one.expiresMs)) {
    const reason = 'stopped, and its time to live is over';
    await endSandbox(deps, sandbox.id, { requestId: deps.ids.next('req'), reason, action: 'sandbox.expire' });
  }
  const looks: Promise<void>[] = [];
  for (const live of deps.live.all()) {
    // A look reads some files, and there may be hundreds to look at.
    await yieldLongTurn();
    looks.push(reapOne(deps, live, nowMs));
  }
  await Promise.all(looks);
}

async function reapOne(deps: SandboxDeps, live: LiveSandbox, nowMs: number): Promise<void> {
  try {
    const reason = await endingOf(deps, live, nowMs);
    if (reason === undefined || deps.live.get(live.sandbox.id) === undefined) return;
    const remains = await endSandbox(deps, live.sandbox.id, { requestId: deps.ids.next('req'), ...reason });
    if (remains.length > 0)
      deps.log('error', 'a sandbox left something behind', { sandboxId: live.sandbox.id, remains });
  } catch (error) {
    deps.log('error', 'a sandbox could not be reaped', { sandboxId: live.sandbox.id, error });
  }
}

async function endingOf(
  deps: SandboxDeps,
  live: LiveSandbox,
  nowMs: number,
): Promise<{ reason: string; action: string } | undefined> {
  const { sandbox, handle } = live;
  if (nowMs >= sandbox.expiresMs)
    return {
      reason: `its time to live of ${Math.round(sandbox.spec.ttlMs / 1000)} s is over`,
      action: 'sandbox.expire',
    };
  const status = await deps.driver.inspect(handle);
  if (status.state === 'exited' || status.state === 'gone')
    return { reason: `it ended by itself (${status.detail ?? status.state})`, action: 'sandbox.exit' };
  if (sandbox.spec.idleMs === null) return undefined;
  await noteWork(deps, live, nowMs);
  if (nowMs - live.lastActiveMs < sandbox.spec.idleMs) return undefined;
  return { reason: `idle for ${Math.round((nowMs - live.lastActiveMs) / 1000)} s`, action: 'sandbox.idle' };
}

/** Work is a running exec, a CPU above the threshold or a busy kernel; connections alone are not. */
async function noteWork(deps: SandboxDeps, live: LiveSandbox, nowMs: number): Promise<void> {
  if (live.execs.size > 0) live.lastActiveMs = nowMs;
  await noteKernels(deps, live, nowMs);
  if (live.cpu !== undefined && nowMs - live.cpu.atMs < 1000) return;
  const { cpuSeconds } = await deps.driver.stats(live.handle);
  if (live.cpu !== undefined) {
    const share = (cpuSeconds - live.cpu.seconds) / ((nowMs - live.cpu.atMs) / 1000);
    if (share > IDLE_CPU_SHARE) live.lastActiveMs = nowMs;
  }
  live.cpu = { atMs: nowMs, seconds: cpuSeconds };
}

/** A sandbox that seems idle is asked for its kernels, once a minute and always before it would end. */
async function noteKernels(deps: SandboxDeps, live: LiveSandbox, nowMs: number): Promise<void> {
  const idleMs = nowMs - live.lastActiveMs;
  const due = nowMs - live.kernelsAskedMs >= ASK_KERNELS_EVERY_MS || idleMs >= (live.sandbox.spec.idleMs ?? 0);
  if (idleMs < Math.min(ASK_KERNELS_EVERY_MS, live.sandbox.spec.idleMs ?? 0) || !due) return;
  live.kernelsAskedMs = nowMs;
  const workedMs = await lastKernelWork(await deps.driver.session(live.handle), nowMs);
  live.lastActiveMs = Math.max(live.lastActiveMs, workedMs ?? 0);
}

/** Counts as work now and, with `ttlMs`, moves the end (never beyond the longest life from the start). */
export async function keepSandbox(deps: SandboxDeps, use: Use, extend: { ttlMs?: number }): Promise<Sandbox> {
  const { sandbox, answer } = await crossAbout(deps, use, 'sandbox.keepalive', async (tx, crossing, found) => {
    const expiresMs = extend.ttlMs === undefined ? found.expiresMs : crossing.nowMs + extend.ttlMs;
    const latestMs = found.begunMs + deps.defaults.maxTtlMs;
    if (expiresMs > latestMs) {
      throw new AppError('invalid', `A sandbox lives at most until ${new Date(latestMs).toISOString()} here.`, {
        details: { field: 'ttl' },
      });
    }
    await updateSandboxTimes(tx, found.id, { lastActiveMs: crossing.nowMs, expiresMs });
    return { lastActiveMs: crossing.nowMs, expiresMs };
  });
  const live = deps.live.get(sandbox.id);
  if (live !== undefined) {
    live.lastActiveMs = answer.lastActiveMs;
    live.sandbox = { ...live.sandbox, expiresMs: answer.expiresMs };
  }
  return { ...sandbox, ...answer };
}

/** Ends every process of a sandbox and keeps its workspace until it is deleted; idempotent. */
export async function stopSandbox(deps: SandboxDeps, use: Use, options: { graceMs?: number }): Promise<Sandbox> {
  const { sandbox } = await crossAbout(deps, use, 'sandbox.stop', async (tx, crossing, found) => {
    if (found.state !== 'running') return;
    await updateSandboxState(tx, found.id, { state: 'stopping', reason: `stopped by ${use.identity.user}` });
    await insertSandboxEvent(tx, found.id, {
      atMs: crossing.nowMs,
      kind: 'stopping',
      message: `by ${use.identity.user}`,
    });
  });
  if (sandbox.state !== 'running') return sandbox;
  const reason = `stopped by ${use.identity.user}`;
  await deps.mutex(sandbox.id, () => finishStop(deps, sandbox, { requestId: use.requestId, reason, ...options }));
  return { ...sandbox, state: 'stopped', reason };
}

/** The part of a stop after the mark. The caller holds the sandbox's mutex. */
export async function finishStop(
  deps: SandboxDeps,
  sandbox: Sandbox,
  options: { requestId: string; reason: string; graceMs?: number },
): Promise<void> {
  const { requestId, reason, ...stopping } = options;
  deps.live.remove(sandbox.id);
  await deps.onEnd(sandbox.id);
  if (sandbox.handle !== null) await deps.driver.stop(sandbox.handle, stopping);
  await deps.gateway.system({
    action: 'sandbox.stopped',
    object: { kind: 'sandbox', id: sandbox.id, name: sandbox.name },
    requestId,
    act: (tx) => updateSandboxState(tx, sandbox.id, { state: 'stopped', reason, endedMs: deps.clock.nowMs() }),
  });
}
