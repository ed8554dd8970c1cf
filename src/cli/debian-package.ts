import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';

export type Wanted<T> = {
  packages: readonly string[];
  /** What the packages bring, or nothing while it is not there. */
  find: () => T | undefined | false;
  /** Who needs it, in the words of an error: "The store tests need PostgreSQL". */
  need: string;
  /** What a person who may not install packages can do instead. */
  instead?: string;
  say?: (line: string) => void;
};

/** Gives what Debian's packages bring, and installs them first where it is not there. Throws `unavailable` where they cannot be had. */
export function havePackages<T>({ packages, find, need, instead, say = () => undefined }: Wanted<T>): T {
  const present = find();
  if (present) return present;
  const wanted = ['install', '-y', '--no-install-recommends', ...packages];
  const command = `apt-get ${wanted.join(' ')}`;
  const root = process.getuid?.() === 0;
  const missing = (why: string): AppError =>
    new AppError('unavailable', `${need}, and ${why}.`, {
      details: { hint: `Run: ${root ? '' : 'sudo '}${command}${instead === undefined ? '' : `; or ${instead}`}.` },
    });
  if (!root) throw missing('only root may install it');
  if (!existsSync('/usr/bin/apt-get')) throw missing('this system has no apt-get to install it with');
  say(`installing ${packages.join(', ')} (${need})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Test files run side by side: one of them installs at a time.
  const apt = (...args: string[]) =>
    spawnSync('flock', ['/run/lock/fumehood-apt', 'apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env,
      encoding: 'utf8',
    });
  let done = apt(...wanted);
  if (done.status !== 0) {
    apt('update');
    done = apt(...wanted);
  }
  const installed = find();
  if (!installed) throw missing(`it could not be installed: ${done.stderr?.trim() ?? done.error?.message}`);
  return installed;
}
