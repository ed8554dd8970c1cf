/** What a sandbox has of the host with its GPUs: their device nodes and no other, the driver's libraries, its tool. */
import type { Gpu } from '../driver.ts';
import { type DeviceNode, type DriverFile, TOOL } from './gpu-host.ts';

export type GpuGrant = { gpus: Gpu[]; nodes: DeviceNode[]; libraries: DriverFile[]; tool: DriverFile };

/** In a sandbox: where the driver's files are. A folder of our own, since the host's or an image's may hold other versions. */
const GPU_FOLDER = '/fumehood/gpu';
const LIBRARY_FOLDER = `${GPU_FOLDER}/lib`;
const TOOL_FOLDER = `${GPU_FOLDER}/bin`;

/** Host path and place of each file. */
export const gpuFiles = ({ libraries, tool }: GpuGrant): { source: string; target: string }[] => [
  ...libraries.map(({ name, source }) => ({ source, target: `${LIBRARY_FOLDER}/${name}` })),
  { source: tool.source, target: `${TOOL_FOLDER}/${TOOL}` },
];

/** So that the loader finds the libraries, before an image's own. */
export const withLibraries = (env: Record<string, string>): Record<string, string> => ({
  ...env,
  LD_LIBRARY_PATH: [LIBRARY_FOLDER, env.LD_LIBRARY_PATH ?? ''].filter(Boolean).join(':'),
});

/** Before another of the same name, which may be a script around one that is not there, or of another version. */
export const withTool = (env: Record<string, string>): Record<string, string> => ({
  ...env,
  PATH: `${TOOL_FOLDER}:${env.PATH ?? '/usr/bin:/bin'}`,
});

/** Mounts of the nodes themselves: made anew they would be of the sandbox's user namespace, where none can be opened. */
export const nodeMounts = ({ nodes }: GpuGrant) =>
  nodes.map(({ path, source }) => ({
    destination: path,
    type: 'bind',
    source,
    options: ['bind', 'rw', 'nosuid', 'noexec'],
  }));

/** What the control group lets the sandbox open, beside what every one may. */
export const deviceRules = ({ nodes }: GpuGrant) =>
  nodes.map(({ major, minor }) => ({ allow: true, type: 'c', major, minor, access: 'rw' }));
