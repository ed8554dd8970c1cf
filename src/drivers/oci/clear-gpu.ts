/** Runs the program that overwrites a GPU's memory, as a user without rights: it needs none but to open the device. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Gpu } from '../driver.ts';

const NOBODY = 65_534;

/** Resolves with the number of bytes: all that can be had beside what the driver keeps for a program itself. Throws when that is not done within `timeoutMs`. */
export function createClearGpu(options: { python: string; pythonDir: string; timeoutMs: number }) {
  const program = (): string => readFileSync(join(options.pythonDir, 'fumehood_helper', 'clear_gpu.py'), 'utf8');
  return (gpu: Gpu, library: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const words = ['-I', '-S', '-B', '-c', program(), library, gpu.uuid];
      const run = { uid: NOBODY, gid: NOBODY, cwd: '/', timeout: options.timeoutMs, killSignal: 'SIGKILL' } as const;
      const env = { CUDA_VISIBLE_DEVICES: gpu.uuid, CUDA_CACHE_DISABLE: '1' };
      execFile(options.python, words, { ...run, env }, (error, stdout, stderr) => {
        if (error === null) return resolve(Number(stdout));
        const reason = stderr.trim().split('\n').at(-1) || `it ended with ${error.signal ?? error.code}`;
        reject(
          new AppError('unavailable', `The memory of GPU ${gpu.index} could not be cleared: ${reason}`, {
            details: { hint: 'Nobody gets it until it can be. Look at it with "nvidia-smi" and "dmesg".' },
            cause: error,
          }),
        );
      });
    });
}
