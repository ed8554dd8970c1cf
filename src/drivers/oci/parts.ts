/** What the driver is made of, wired once. */
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DoorConnection, DriverDeps, Probe } from '../driver.ts';
import { createAgentCode } from './agent-code.ts';
import { type Claims, createClaims } from './claims.ts';
import { createClearGpu } from './clear-gpu.ts';
import { findGpus } from './gpu-host.ts';
import { createGpus, type Gpus, type Holder } from './gpus.ts';
import { createHelper, type Helper } from './helper-client.ts';
import { createIdRanges, type IdRanges, RANGE_SIZE } from './id-ranges.ts';
import type { Look } from './inventory.ts';
import { createNetworks, type Networks } from './networks.ts';
import { HOMES, type Paths, pathsOf } from './paths.ts';
import { probeHost } from './probe.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { createWorkspaces, type Workspaces } from './workspaces.ts';

const PYTHON = '/usr/bin/python3';
const PROBE_FRESH_MS = 60_000;
/** What is missing may be mended at any moment. */
const UNUSABLE_FRESH_MS = 3000;
const START_TIMEOUT_MS = 60_000;
/** The helper is given up only after the calls that it makes itself were. */
const HELPER_LEAD_MS = 10_000;

export type Parts = {
  deps: DriverDeps;
  paths: Paths;
  helper: Helper;
  ranges: IdRanges;
  claims: Claims;
  gpus: Gpus;
  networks: Networks;
  workspaces: Workspaces;
  runtime: Runtime;
  /** How long a part of a start may take. */
  timeoutMs: number;
  /** Host folder with the agent's code. */
  agentCode: () => Promise<string>;
  probe: () => Promise<Probe>;
  look: Look;
};

export function createParts(deps: DriverDeps, serve: (connection: DoorConnection) => void): Parts {
  const paths = pathsOf(deps.stateDir);
  makeFolders(paths);
  const timeoutMs = deps.startTimeoutMs ?? START_TIMEOUT_MS;
  const helper = createHelper({
    silenceMs: timeoutMs + HELPER_LEAD_MS,
    pythonDir: deps.pythonDir,
    python: PYTHON,
    log: (message) => deps.log('warn', 'network helper', { message }),
  });
  const ranges = createIdRanges(paths.ranges);
  return {
    deps,
    paths,
    helper,
    ranges,
    claims: createClaims(paths),
    gpus: createGpus({
      homeId: paths.homeId,
      folder: paths.gpus,
      find: findGpus,
      holders: async ({ major, minor }) => (await helper.ask('holders', { major, minor })).ok as Holder[],
      clear: createClearGpu({ python: PYTHON, pythonDir: deps.pythonDir, timeoutMs }),
      log: (message, fields) => deps.log('warn', message, fields),
    }),
    networks: createNetworks({ folder: paths.networks, helper, serve }),
    workspaces: createWorkspaces({ paths, helper, ranges }),
    timeoutMs,
    runtime: createRuntime({ helper, paths, timeoutMs }),
    agentCode: createAgentCode({ pythonDir: deps.pythonDir, python: PYTHON, folder: paths.code, helper }),
    look: lookBy(helper),
    probe: freshProbe(() => probeHost(paths, deps.config)),
  };
}

/** A look by the helper; once more when it died of something else meanwhile. */
function lookBy(helper: Helper): Look {
  return async (firstId, image) => {
    const look = () => helper.ask('traces', { firstId, size: RANGE_SIZE, image });
    const { ok } = await look().catch(look);
    return ok as Awaited<ReturnType<Look>>;
  };
}

function makeFolders(paths: Paths): void {
  mkdirSync('/run/fumehood', { recursive: true, mode: 0o711 });
  mkdirSync(paths.runDir, { recursive: true, mode: 0o711 });
  for (const folder of [paths.runtimeRoot, paths.gvisorRoot, paths.networks, paths.sockets, paths.mounts])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync(paths.sandboxes, { recursive: true, mode: 0o711 });
  mkdirSync(paths.images, { recursive: true, mode: 0o700 });
  // Tells "doctor" whose these are, so that what a removed home left can be found and removed.
  mkdirSync(HOMES, { recursive: true, mode: 0o700 });
  writeFileSync(join(HOMES, paths.homeId), dirname(paths.images), { mode: 0o600 });
}

/** Removes the folders of this home that are empty: while sandboxes go on they are not, and stay for the next start. */
export function removeEmptyFolders(paths: Paths): void {
  const { runtimeRoot, gvisorRoot, networks, sockets, mounts, sandboxes, runDir } = paths;
  try {
    for (const folder of [runtimeRoot, gvisorRoot, networks, sockets, mounts, sandboxes, runDir])
      if (existsSync(folder)) rmdirSync(folder);
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) return;
    throw error;
  }
  rmSync(join(HOMES, paths.homeId), { force: true });
}

/** Looks again once what was found has become old; a host that was usable is taken to be so until that look has ended. */
function freshProbe(look: () => Promise<Probe>): () => Promise<Probe> {
  let until = Number.NEGATIVE_INFINITY;
  let known: Probe | undefined;
  let looking: Promise<Probe> | undefined;
  const lookAgain = (): Promise<Probe> => {
    looking ??= look()
      .then((found) => {
        known = found;
        until = performance.now() + (found.usable ? PROBE_FRESH_MS : UNUSABLE_FRESH_MS);
        return found;
      })
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  return async () => {
    if (known === undefined || (!known.usable && performance.now() >= until)) return lookAgain();
    if (performance.now() >= until) lookAgain().catch(() => undefined);
    return known;
  };
}
