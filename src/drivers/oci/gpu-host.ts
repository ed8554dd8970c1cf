/** The NVIDIA GPUs of this host, and what a sandbox needs of the host to use one: device nodes, libraries of the driver, its tool. */
import {
  closeSync,
  existsSync,
  globSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Gpu } from '../driver.ts';

/** `path` is that of a sandbox, `source` that of the host. */
export type DeviceNode = { path: string; source: string; major: number; minor: number };

/** A file of the host, and how it is called in a sandbox. */
export type DriverFile = { name: string; source: string };

export type GpuHost = {
  /** Of the kernel's driver; undefined where there is none. */
  version: string | undefined;
  /** Those that can be handed out whole. */
  gpus: Gpu[];
  /** In words: GPUs that cannot, and why. */
  unfit: string[];
  nodes: DeviceNode[];
  /** Nodes that are not there, or not for everybody to read and write. */
  missingNodes: string[];
  libraries: DriverFile[];
  missingLibraries: string[];
  tool: DriverFile | undefined;
};

const COMMON_NODES = ['nvidiactl', 'nvidia-uvm'];
export const TOOL = 'nvidia-smi';

/** What programs of CUDA load: its driver interface, the one of `nvidia-smi`, and the compilers of what is compiled for the GPU at run time. */
const LIBRARIES = ['libcuda.so.1', 'libnvidia-ml.so.1', 'libnvidia-ptxjitcompiler.so.1', 'libnvidia-nvvm.so.4'];
const LIBRARY_FOLDERS = [
  process.arch === 'arm64' ? '/usr/lib/aarch64-linux-gnu' : '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib64/nvidia',
  '/usr/local/nvidia/lib64',
  '/usr/lib',
];
const TOOL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/local/nvidia/bin'];
const PROC = '/proc/driver/nvidia';

/** The node of one GPU. */
export const nodeNameOf = (gpu: Pick<Gpu, 'index'>): string => `nvidia${gpu.index}`;

const NONE: GpuHost = {
  version: undefined,
  gpus: [],
  unfit: [],
  nodes: [],
  missingNodes: [],
  libraries: [],
  missingLibraries: LIBRARIES,
  tool: undefined,
};

/** Looks below `root`, which is `/` but in tests. */
export function findGpus(root = '/'): GpuHost {
  const version = versionOf(root);
  if (version === undefined) return NONE;
  const all = listed(root);
  const names = [...(all.length === 0 ? [] : COMMON_NODES), ...all.map(({ gpu }) => nodeNameOf(gpu))];
  const found = names.map((name) => ({ name, node: nodeOf(root, name) }));
  // Of the very version of the kernel's driver: it does not talk to others.
  const fits = (source: string): boolean => source.endsWith(`.so.${version}`);
  const libraries = LIBRARIES.flatMap((name) => fileOf(root, name, libraryFolders(root), fits));
  const [tool] = fileOf(root, TOOL, TOOL_FOLDERS, isProgram);
  return {
    version,
    gpus: all.filter(({ unfit }) => unfit === undefined).map(({ gpu }) => gpu),
    unfit: all.flatMap(({ gpu, unfit }) => (unfit === undefined ? [] : [`GPU ${gpu.index} ${unfit}`])),
    nodes: found.flatMap(({ node }) => node ?? []),
    missingNodes: found.filter(({ node }) => node === undefined).map(({ name }) => `/dev/${name}`),
    libraries,
    missingLibraries: LIBRARIES.filter((name) => !libraries.some((one) => one.name === name)),
    tool,
  };
}

/** `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build …` → `580.159.04`. */
function versionOf(root: string): string | undefined {
  const path = join(root, PROC, 'version');
  return existsSync(path) ? /^NVRM version:.*?\s(\d+\.\d[\d.]*)\s/m.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
}

type Listed = { gpu: Gpu; unfit: string | undefined };

/** By the order of their nodes. */
function listed(root: string): Listed[] {
  const folder = join(root, PROC, 'gpus');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((bus) => listedOf(root, readFileSync(join(folder, bus, 'information'), 'utf8')))
    .sort((one, other) => one.gpu.index - other.gpu.index);
}

function listedOf(root: string, information: string): Listed[] {
  const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(information)?.[1] ?? '';
  const index = Number.parseInt(field('Device Minor'), 10);
  if (!(index >= 0)) return [];
  const gpu = { index, uuid: field('GPU UUID'), model: field('Model') };
  return [{ gpu, unfit: reasonAgainst(root, gpu) }];
}

/** Why a GPU cannot be handed out whole; undefined when it can. */
function reasonAgainst(root: string, { index, uuid }: Gpu): string | undefined {
  // The driver learns it when it starts the GPU, at its first use.
  if (!/^GPU-[0-9a-f-]{36}$/.test(uuid)) return 'was not started yet';
  const instances = join(root, PROC, `capabilities/gpu${index}/mig`);
  if (existsSync(instances) && readdirSync(instances).some((name) => name.startsWith('gi')))
    return 'is divided into instances (MIG)';
  return undefined;
}

/** A character device that everybody may read and write: a sandbox opens it as a user that the host does not know. */
function nodeOf(root: string, name: string): DeviceNode | undefined {
  const source = join(root, 'dev', name);
  const found = statSync(source, { throwIfNoEntry: false });
  if (found?.isCharacterDevice() !== true || (found.mode & 0o006) !== 0o006) return undefined;
  return { path: `/dev/${name}`, source, ...numbersOf(found.rdev) };
}

/** Major and minor number of a device, as makedev(3) packs them. */
export const numbersOf = (rdev: number): { major: number; minor: number } => ({
  major: Math.floor(rdev / 0x100) % 0x1000,
  minor: (rdev % 0x100) + Math.floor(rdev / 0x100000) * 0x100,
});

/** Usual places first, then those that the host's loader is told of. */
function libraryFolders(root: string): string[] {
  const lines = globSync('etc/ld.so.conf.d/*.conf', { cwd: root }).flatMap((path) =>
    readFileSync(join(root, path), 'utf8').split('\n'),
  );
  return [...LIBRARY_FOLDERS, ...lines.map((line) => line.trim()).filter((line) => line.startsWith('/'))];
}

/** The first file of this name that fits. */
function fileOf(
  root: string,
  name: string,
  folders: readonly string[],
  fits: (source: string) => boolean,
): DriverFile[] {
  const source = folders
    .map((folder) => join(root, folder, name))
    .filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .find(fits);
  return source === undefined ? [] : [{ name, source }];
}

const ELF = Buffer.from('\x7fELF');

/** Not a script around it: what that starts is not in a sandbox. */
function isProgram(path: string): boolean {
  const begin = Buffer.alloc(ELF.length);
  const file = openSync(path, 'r');
  try {
    return readSync(file, begin) === ELF.length && begin.equals(ELF);
  } finally {
    closeSync(file);
  }
}
