/** What must be there so that a GPU can be handed out, each with what mends it. */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Check } from '../driver.ts';
import { cgroupControllers, cgroupVersion } from './cgroups.ts';
import { type GpuHost, TOOL } from './gpu-host.ts';

/** Checks that the capability `gpu` needs, all of them. */
export const GPU_CHECKS = ['gpu', 'gpu-switch', 'gpu-nodes', 'gpu-libraries', 'gpu-tool', 'gpu-control'];

const CONSEQUENCE = 'Sandboxes that ask for GPUs are refused.';

/** One line where there is no GPU. `allowed`: by the setting `sandbox.gpus`. */
export function gpuChecks(host: GpuHost, allowed: boolean, root = '/'): Check[] {
  const gpu = gpuCheck(host, root);
  if (host.gpus.length === 0) return [gpu];
  const branch = host.version?.split('.')[0] ?? '';
  return [
    gpu,
    check({
      id: 'gpu-switch',
      title: 'GPUs are handed out',
      missing: allowed ? [] : ['sandbox.gpus'],
      found: 'switched on',
      fix: 'fumehood config set sandbox.gpus true',
      why: 'switched off, since the memory of the host that their driver takes for a program is not counted',
    }),
    check({
      id: 'gpu-nodes',
      title: 'Device nodes of GPUs',
      missing: host.missingNodes,
      found: host.nodes.map(({ path }) => path).join(', '),
      fix: existsSync(join(root, 'dev/nvidia-uvm'))
        ? `chmod 0666 ${host.missingNodes.join(' ')}`
        : 'nvidia-modprobe -u -c 0',
      why: 'not there, or not open to all users',
    }),
    check({
      id: 'gpu-libraries',
      title: 'Libraries of the GPU driver',
      missing: host.missingLibraries,
      found: `${host.libraries.length}, of version ${host.version}`,
      fix: `apt-get install -y libnvidia-compute-${branch}`,
      why: `not found in version ${host.version}`,
    }),
    check({
      id: 'gpu-tool',
      title: `The GPU driver's ${TOOL}`,
      missing: host.tool === undefined ? [TOOL] : [],
      found: host.tool?.source ?? '',
      fix: `apt-get install -y nvidia-utils-${branch}`,
      why: 'not found',
    }),
    check({
      id: 'gpu-control',
      title: 'Control group: devices',
      missing: devicesAreControlled() ? [] : [`this kernel (${release()})`],
      found: `version ${cgroupVersion()}`,
      fix:
        cgroupVersion() === 2
          ? 'boot a kernel with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL'
          : 'boot without cgroup_disable=devices',
      why: 'cannot bound which devices a sandbox opens',
    }),
  ];
}

function gpuCheck({ version, gpus, unfit }: GpuHost, root: string): Check {
  const made = { id: 'gpu', title: 'GPU', required: false };
  const named = gpus.map(({ index, model }) => `${index}: ${model}`);
  const found = [...named, ...unfit].join(', ');
  if (gpus.length > 0) return { ...made, state: 'ok', found: `${found}; driver ${version}`, consequence: '', fix: '' };
  const noDriver = version === undefined && existsSync(join(root, 'dev/nvidia0'));
  return {
    ...made,
    state: 'missing',
    found: found || (noDriver ? 'the driver is not loaded' : 'none'),
    consequence: CONSEQUENCE,
    fix: noDriver ? 'modprobe nvidia-uvm' : fixOf(unfit),
  };
}

function fixOf(unfit: readonly string[]): string {
  if (unfit.some((why) => why.includes('not started'))) return 'nvidia-smi -pm 1';
  return unfit.length > 0 ? 'nvidia-smi -mig 0' : '';
}

function check(options: {
  id: string;
  title: string;
  missing: readonly string[];
  found: string;
  fix: string;
  why: string;
}): Check {
  const { id, title, missing, found, fix, why } = options;
  if (missing.length === 0) return { id, title, state: 'ok', found, consequence: '', fix: '', required: false };
  const lacking = `${missing.join(', ')}: ${why}`;
  return { id, title, state: 'missing', found: lacking, consequence: CONSEQUENCE, fix, required: false };
}

/** Version 1 has a controller for it; version 2 runs a program in the kernel, which the runtime attaches, or does not start the sandbox. */
function devicesAreControlled(): boolean {
  return cgroupVersion() === 2 ? existsSync('/sys/fs/bpf') : cgroupControllers().includes('devices');
}
