/** Makes an unpacked image fit to be a root: places to mount on that are what they seem, and a Python for the agent. */
import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT_FILES, ROOT_FOLDERS } from '#src/drivers/driver.ts';
import { badImage, look, resolveFile } from './root-path.ts';

const MOST_TOP_LEVEL = 256;
const EARLIEST_MINOR = 9;
/** e_machine of ELF headers (elf.h), by what Node calls the machine. */
const ELF_MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

/** What a driver mounts on must be plain files and folders, whatever the image has there. */
export function preparePlaces(root: string): void {
  if (readdirSync(root).length > MOST_TOP_LEVEL) throw badImage(`its root holds more than ${MOST_TOP_LEVEL} things`);
  for (const path of ROOT_FOLDERS) folderAt(root, path);
  for (const path of ROOT_FILES) {
    folderAt(root, path.split('/').slice(0, -1).join('/'));
    if (look(join(root, path))?.isFile() !== true || (look(join(root, path))?.nlink ?? 0) > 1) {
      rmSync(join(root, path), { recursive: true, force: true });
      writeFileSync(join(root, path), '', { mode: 0o644, flag: 'wx' });
    }
  }
  folderAt(root, 'var');
  rmSync(join(root, 'var/tmp'), { recursive: true, force: true });
  symlinkSync('/tmp', join(root, 'var/tmp'));
}

/** A real folder at each step, in place of whatever else stands there. */
function folderAt(root: string, path: string): void {
  let at = root;
  for (const part of path.split('/').filter((one) => one !== '')) {
    at = join(at, part);
    if (look(at)?.isDirectory() === true) continue;
    rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { mode: 0o755 });
  }
}

/** The interpreter that the agent can run on: its path in the image. Throws `invalid` for an image without one. */
export function findPython(root: string, searchPath: readonly string[], arch: string): string {
  const folders = [...searchPath, '/usr/local/bin', '/usr/bin', '/bin'].filter((folder) => folder.startsWith('/'));
  const python = [...new Set(folders)]
    .map((folder) => join(folder, 'python3'))
    .find((path) => isPython(resolveFile(root, path), arch));
  if (python !== undefined) return python;
  throw badImage(
    `it has no Python 3.${EARLIEST_MINOR} or newer for this machine, and the agent in every sandbox needs one`,
    'Build it from an image with Python, such as python:3-slim, or add Python to it.',
  );
}

function isPython(file: string | undefined, arch: string): boolean {
  if (file === undefined) return false;
  const minor = /^python3\.(\d+)/.exec(basename(file))?.[1];
  if (minor !== undefined && Number(minor) < EARLIEST_MINOR) return false;
  const header = Buffer.alloc(20);
  const number = openSync(file, 'r');
  try {
    readSync(number, header, 0, header.length, 0);
  } finally {
    closeSync(number);
  }
  return header.toString('latin1', 0, 4) === '\x7fELF' && header.readUInt16LE(18) === ELF_MACHINES[arch];
}

/** Whether the image has the very interpreter that environments of this host are made for. */
export const hasInterpreter = (root: string, path: string): boolean => look(join(root, path))?.isFile() === true;
