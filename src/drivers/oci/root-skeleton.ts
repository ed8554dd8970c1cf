/** The sandbox's root: empty folders to mount on, and an /etc of its own. Nothing of the host but /usr/bin, /usr/lib* and /usr/share is behind it. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import type { ImageRoot } from '../driver.ts';
import { makeImagePlaces } from './image-root.ts';

export const SANDBOX_UID = 1000;

/** Folders of /usr that a sandbox sees, read-only. */
export const usrFolders = (): string[] =>
  readdirSync('/usr')
    .filter((name) => name === 'bin' || name === 'sbin' || name === 'share' || /^lib/.test(name))
    .map((name) => `/usr/${name}`);

/** Folders of /etc that carry no secret and that programs of /usr cannot do without. */
const ETC_FOLDERS = ['/etc/alternatives', '/etc/ssl/certs', '/etc/fonts', '/etc/ld.so.conf.d'];

export const etcFolders = (): string[] => ETC_FOLDERS.filter((path) => existsSync(path));

/** Makes the folders and links of the root; `targets` are further mount points, absolute. With an image its own things take the place of the host's. */
export function makeRootSkeleton(rootfs: string, targets: string[], image?: ImageRoot): void {
  mkdirSync(rootfs, { recursive: true, mode: 0o755 });
  for (const folder of ['dev', 'proc', 'etc', 'run', 'workspace', 'data', 'fumehood/agent', ...targets]) {
    mkdirSync(join(rootfs, folder), { recursive: true, mode: 0o755 });
  }
  if (image === undefined) makeHostPlaces(rootfs);
  else makeImagePlaces(rootfs, image);
  // The runtime gives a tmpfs the mode of the folder that it covers.
  mkdirSync(join(rootfs, 'tmp'));
  chmodSync(join(rootfs, 'tmp'), 0o1777);
}

/** The places for the host's /usr, and the links that lead into it. */
function makeHostPlaces(rootfs: string): void {
  for (const folder of ['/var', '/home', ...usrFolders()])
    mkdirSync(join(rootfs, folder), { recursive: true, mode: 0o755 });
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    if (existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink())
      symlinkSync(readlinkSync(`/${name}`), join(rootfs, name));
  }
  symlinkSync('/tmp', join(rootfs, 'var/tmp'));
}

/** Writes the /etc of one sandbox; for an image only what `ROOT_FILES` names. */
export function makeEtc(etc: string, hostname: string, image?: ImageRoot): void {
  mkdirSync(etc, { recursive: true, mode: 0o755 });
  const write = (name: string, text: string): void => writeFileSync(join(etc, name), text, { mode: 0o644 });
  write(
    'passwd',
    `root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nsandbox:x:${SANDBOX_UID}:${SANDBOX_UID}:sandbox:/workspace:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
  );
  write('group', `root:x:0:\ntty:x:5:\nsandbox:x:${SANDBOX_UID}:\nnogroup:x:65534:\n`);
  writeNames(etc, hostname);
  write('nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n');
  write('resolv.conf', '# There is no name service in a sandbox.\n');
  write('gai.conf', 'precedence ::ffff:0:0/96 100\n');
  if (image === undefined) addFromHost(etc);
}

/** Files of the host's /etc that its programs look for. */
export const ETC_FILES: readonly string[] = [
  'ld.so.cache',
  'ld.so.conf',
  'services',
  'protocols',
  'mime.types',
  'debian_version',
  'localtime',
  'inputrc',
  'bash.bashrc',
];

/** What the host's programs look for. */
function addFromHost(etc: string): void {
  for (const folder of etcFolders()) mkdirSync(join(etc, folder.slice('/etc/'.length)), { recursive: true });
  for (const name of ETC_FILES) {
    if (existsSync(join('/etc', name))) copyFileSync(join('/etc', name), join(etc, name));
  }
  if (existsSync('/usr/lib/os-release')) symlinkSync('../usr/lib/os-release', join(etc, 'os-release'));
  mkdirSync(dirname(join(etc, 'ssl/certs')), { recursive: true });
}

/** What in /etc carries the sandbox's name. */
export function writeNames(etc: string, hostname: string): void {
  writeFileSync(join(etc, 'hostname'), `${hostname}\n`, { mode: 0o644 });
  writeFileSync(join(etc, 'hosts'), `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost\n`, { mode: 0o644 });
}
