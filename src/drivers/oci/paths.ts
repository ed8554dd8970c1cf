/** Where the driver keeps things. What a runtime must reach as an unprivileged id lies under /run, the rest in the home. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export type Paths = {
  /** Twelve hex digits that tell this home's things from those of every other home on the host. */
  homeId: string;
  /** `/run/fumehood/<home>`: 0711, so that a sandbox's root can be entered by its ids and nothing be listed. */
  runDir: string;
  runtimeRoot: string;
  /** gVisor's runsc takes the beginning of an id for the whole, so each of its containers has books of its own, below this folder. */
  gvisorRoot: string;
  networks: string;
  sockets: string;
  sandboxes: string;
  mounts: string;
  /** In the home: images of workspaces, 0700. */
  images: string;
  /** In the home: the agent's code, compiled, and the usual root. */
  code: string;
  roots: string;
  /** On the whole host: which range of ids belongs to whom. */
  ranges: string;
  /** On the whole host: which GPU belongs to whom. */
  gpus: string;
  cgroupParent: string;
};

/** One file a home of this host, named by its id: where its driver keeps its state. */
export const HOMES = '/run/fumehood/homes';

export function pathsOf(stateDir: string): Paths {
  const homeId = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  const runDir = `/run/fumehood/${homeId}`;
  return {
    homeId,
    runDir,
    runtimeRoot: join(runDir, 'runtime'),
    gvisorRoot: join(runDir, 'runsc'),
    networks: join(runDir, 'net'),
    sockets: join(runDir, 'agent'),
    sandboxes: join(runDir, 'sb'),
    mounts: join(runDir, 'ws'),
    images: join(stateDir, 'workspaces'),
    code: join(stateDir, 'agent'),
    roots: join(stateDir, 'roots'),
    ranges: '/run/fumehood/ranges',
    gpus: '/run/fumehood/gpus',
    cgroupParent: `fumehood-${homeId}`,
  };
}

/**
 * What belongs to one slot, by convention: found again also when nothing was written down. A slot is the place of one sandbox on this host. Its
 * name says nothing of the sandbox, which may come later.
 */
export type SlotPaths = {
  /** The runtime's record of the container. */
  container: string;
  /** The same of gVisor's runsc. */
  gvisor: string;
  bundle: string;
  rootfs: string;
  etc: string;
  claim: string;
  log: string;
  pidFile: string;
  socket: string;
  workspace: string;
  image: string;
  /** Below each hierarchy of control groups. */
  cgroup: string;
};

export function slotPaths(paths: Paths, slot: string): SlotPaths {
  const bundle = join(paths.sandboxes, slot);
  return {
    container: join(paths.runtimeRoot, slot),
    gvisor: join(paths.gvisorRoot, slot),
    bundle,
    rootfs: join(bundle, 'rootfs'),
    etc: join(bundle, 'etc'),
    claim: join(bundle, 'claim.json'),
    log: join(bundle, 'runtime.log'),
    pidFile: join(bundle, 'pid'),
    socket: join(paths.sockets, `${slot}.sock`),
    workspace: join(paths.mounts, slot),
    image: join(paths.images, `${slot}.img`),
    cgroup: `${paths.cgroupParent}/${slot}`,
  };
}
