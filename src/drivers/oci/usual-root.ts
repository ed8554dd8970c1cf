/** The root that most sandboxes have, made once to be copied: some sixty small folders, links and files. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ETC_FILES, etcFolders, makeEtc, makeRootSkeleton, usrFolders } from './root-skeleton.ts';

/** The name that stands in a root until its sandbox comes. */
export const NO_NAME = 'sandbox';

/** Gives a host folder with `rootfs` and `etc`. It is named by what of the host goes into it, so that a changed host gets another one. */
export function createUsualRoot(folder: string): () => string {
  return () => {
    const path = join(folder, digestOfHost());
    if (existsSync(path)) return path;
    const half = `${path}.${process.pid}`;
    rmSync(half, { recursive: true, force: true });
    mkdirSync(half, { recursive: true, mode: 0o711 });
    makeRootSkeleton(join(half, 'rootfs'), []);
    makeEtc(join(half, 'etc'), NO_NAME);
    renameSync(half, path);
    return path;
  };
}

function digestOfHost(): string {
  const files = ETC_FILES.map((name) => {
    const found = statSync(join('/etc', name), { throwIfNoEntry: false });
    return found === undefined ? [name] : [name, found.size, found.mtimeMs];
  });
  return createHash('sha256')
    .update(JSON.stringify([usrFolders(), etcFolders(), files]))
    .digest('hex')
    .slice(0, 16);
}
