/** Tessera's fsck, an independent verifier of C2SP tile logs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { goTool } from '../go-tool.ts';

const run = promisify(execFile);

/** The path of fsck, or in words what is missing. */
export const findFsck = (): ReturnType<typeof goTool> => goTool('github.com/transparency-dev/tessera/cmd/fsck@v1.0.4');

/** Whether fsck says that the log in a folder is whole. Its exit code says nothing, and on a bad log it may wait for ever. */
export async function isWholeByFsck(path: string, folder: string, timeoutMs: number): Promise<boolean> {
  const flags = ['--ui=false', `--storage_url=file://${folder}/`, `--public_key=${join(folder, 'public-key')}`];
  const output = await run(path, flags, { timeout: timeoutMs, killSignal: 'SIGKILL' }).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout ?? ''}${error.stderr ?? ''}`,
  );
  return output.includes("Successfully fsck'd log");
}
