/**
 * Keeps the file that standard error goes to from growing for ever. Its descriptor was given at the start and stays: so what is in the file is copied
 * to the next older name, and then the file is emptied. Both happen between two lines, which are written whole: none is lost or cut.
 */
import { copyFileSync, existsSync, fstatSync, ftruncateSync, renameSync, rmSync, statSync } from 'node:fs';

export type Rotation = {
  /** Standard error. */
  fd: number;
  /** The file that is rotated, if it is what `fd` goes to; `path.1` is the next older one. */
  path: string;
  /** No rotation when it is 0. */
  maxBytes: number;
  /** How many older files are kept. */
  files: number;
};

/** A `write` that rotates the file once it holds more than `maxBytes`. What goes elsewhere (a terminal, the journal) is left alone. */
export function rotatingWrite(write: (line: string) => void, rotation: Rotation): (line: string) => void {
  const { fd, path, maxBytes } = rotation;
  if (maxBytes === 0 || !isSame(fd, path)) return write;
  let size = fstatSync(fd).size;
  let limit = maxBytes;
  return (line) => {
    size += Buffer.byteLength(line);
    if (size > limit) {
      // The file has what others wrote as well.
      size = fstatSync(fd).size + Buffer.byteLength(line);
      if (size > limit && isSame(fd, path)) {
        const isDone = rotate(rotation);
        size = fstatSync(fd).size + Buffer.byteLength(line);
        // Where it cannot be done, as on a full disk, it is tried again later, not at every line.
        limit = isDone ? maxBytes : size + maxBytes;
      }
    }
    write(line);
  };
}

function isSame(fd: number, path: string): boolean {
  try {
    const [open, named] = [fstatSync(fd), statSync(path)];
    return open.isFile() && open.dev === named.dev && open.ino === named.ino;
  } catch {
    return false;
  }
}

/** False when it could not be done; then everything is in the file as before. */
function rotate({ fd, path, files }: Rotation): boolean {
  const copy = `${path}.new`;
  try {
    if (files > 0) {
      copyFileSync(path, copy);
      rmSync(`${path}.${files}`, { force: true });
      for (let age = files - 1; age >= 1; age -= 1)
        if (existsSync(`${path}.${age}`)) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
      renameSync(copy, `${path}.1`);
    }
    ftruncateSync(fd, 0);
    return true;
  } catch {
    remove(copy);
    return false;
  }
}

/** Whatever happens here, who is served goes on. */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The next rotation writes over it.
  }
}
