/** The bundle of a running sandbox, and others made of it for the bare runtime. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import type { TestControlPlane } from '../../test/control-plane.ts';
import type { PodmanBundle } from '../podman.ts';

type Config = PodmanBundle & {
  process: { args: string[] };
  root: { path: string };
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
};

/** The folder of a running sandbox's bundle. */
export function bundleOf(home: string, id: string): string {
  const { sandboxes } = pathsOf(join(home, 'driver'));
  const found = readdirSync(sandboxes)
    .map((slot) => join(sandboxes, slot))
    .filter((bundle) => existsSync(join(bundle, 'claim.json')))
    .find((bundle) => readFileSync(join(bundle, 'claim.json'), 'utf8').includes(`"sandboxId":"${id}"`));
  if (found === undefined) throw new Error(`there is no bundle of ${id}`);
  return found;
}

export type BundleCopy = { scratch: string; from: string; config: Config };

/** Keeps the bundle of a running sandbox, so that others can be made of it that join its network namespace and workspace. */
export function copyBundle(control: TestControlPlane, id: string): BundleCopy {
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const from = bundleOf(control.home, id);
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8')) as Config;
  config.root.path = join(from, 'rootfs');
  return { scratch, from, config };
}

/** A bundle with another command in place of the agent. */
export function writeBundle(copy: BundleCopy, name: string, args: string[], options: { ownNetwork: boolean }): string {
  const bundle = join(copy.scratch, name);
  mkdirSync(bundle);
  const config = structuredClone(copy.config);
  config.process.args = args;
  config.linux.cgroupsPath = `${config.linux.cgroupsPath ?? '/fumehood'}-${name}`;
  if (options.ownNetwork)
    config.linux.namespaces = config.linux.namespaces.map((one) =>
      one.type === 'network' ? { type: 'network' } : one,
    );
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  return bundle;
}

/** `runc run --detach` hands its output on to the container: it must not be a pipe that somebody waits for. */
export function runDetached(args: string[], root: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('runc', [...root, ...args], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`runc ended with ${code}`))));
  });
}
