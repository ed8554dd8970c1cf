/** The tree of a host with GPUs, as its files are: for tests on machines that have none. Its device nodes are those of harmless devices. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const VERSION = '580.159.04';

/** Major and minor numbers of character devices that every Linux has, and that do nothing when they are opened. */
export const HARMLESS = { full: [1, 7], zero: [1, 5], null: [1, 3], urandom: [1, 9] } as const;

export const uuidOf = (index: number): string => `GPU-2d733a79-872e-4806-053a-8d72f198ff0${index}`;

const information = (index: number, uuid: string): string => `Model: \t\t NVIDIA H200
IRQ:   \t\t 43
GPU UUID: \t ${uuid}
Video BIOS: \t 96.00.61.00.01
Bus Type: \t PCIe
Bus Location: \t 0000:00:0${index + 6}.0
Device Minor: \t ${index}
GPU Firmware: \t ${VERSION}
GPU Excluded:\t No
`;

const systemLibrary = (name: string): string =>
  ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/lib/x86_64-linux-gnu']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path)) ?? '/nonexistent';

/** Writes it below `root`; `numbers` are those of the GPUs' own nodes. Making nodes needs root's rights. */
export function makeGpuHost(root: string, numbers: readonly (readonly [number, number])[]): void {
  const write = (path: string, content: string): void => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  write(
    'proc/driver/nvidia/version',
    `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  ${VERSION}  Release Build  (builder@)  \nGCC version:  gcc version 15.3.0 (GCC) \n`,
  );
  for (const index of numbers.keys()) {
    write(`proc/driver/nvidia/gpus/0000:00:0${index + 6}.0/information`, information(index, uuidOf(index)));
    mkdirSync(join(root, `proc/driver/nvidia/capabilities/gpu${index}/mig`), { recursive: true });
  }
  makeNode(root, 'nvidiactl', HARMLESS.null);
  makeNode(root, 'nvidia-uvm', HARMLESS.zero);
  for (const [index, pair] of numbers.entries()) makeNode(root, `nvidia${index}`, pair);
  const folder = join(root, 'usr/local/nvidia/lib64');
  mkdirSync(folder, { recursive: true });
  for (const name of ['libcuda.so.1', 'libnvidia-ml.so.1', 'libnvidia-ptxjitcompiler.so.1', 'libnvidia-nvvm.so.4']) {
    const real = `${name.slice(0, name.indexOf('.so'))}.so.${VERSION}`;
    copyFileSync(realpathSync(systemLibrary('libm.so.6')), join(folder, real));
    symlinkSync(real, join(folder, name));
  }
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  copyFileSync('/usr/bin/true', join(root, 'usr/bin/nvidia-smi'));
  chmodSync(join(root, 'usr/bin/nvidia-smi'), 0o755);
}

export function makeNode(root: string, name: string, [major, minor]: readonly [number, number]): void {
  mkdirSync(join(root, 'dev'), { recursive: true });
  execFileSync('mknod', ['-m', '0666', join(root, 'dev', name), 'c', String(major), String(minor)]);
}
