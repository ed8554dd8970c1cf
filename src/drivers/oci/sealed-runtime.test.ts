import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { programPath } from './program-path.ts';

const HELPER = join(import.meta.dirname, '../../../python/fumehood_helper');

/** Tries to change a program in memory in every way that there is; prints what came of each, and what the program says. */
const ATTACK = `
import errno, json, mmap, os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
import programs

def outcome(attempt):
    try:
        attempt()
        return "done"
    except OSError as error:
        return error.strerror

def opened(path):
    """For a moment after its end a program is still in use, as long as somebody looks at its process."""
    for _ in range(200):
        try:
            return os.open(path, os.O_RDWR)
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
            time.sleep(0.05)
    raise TimeoutError(path)

def attack(path):
    number = opened(path)
    return {
        "write": outcome(lambda: os.pwrite(number, b"X", 0)),
        "cut off": outcome(lambda: os.ftruncate(number, 1)),
        "grow": outcome(lambda: os.ftruncate(number, 1 << 30)),
        "map": outcome(lambda: mmap.mmap(number, 4096)),
    }

sealed = programs.path_of("runc")
again = programs.path_of("runc")
open_one = os.memfd_create("control", os.MFD_ALLOW_SEALING)
os.write(open_one, bytes(8192))
number = int(sealed.rpartition("/")[2])
said = subprocess.run([sealed, "--version"], stdout=subprocess.PIPE, pass_fds=[number], text=True).stdout
print(json.dumps({"same": sealed == again, "sealed": attack(sealed), "control": attack(f"/proc/self/fd/{open_one}"), "said": said.split("\\n")[0]}))
`;

test('the copy that runc is started from cannot be changed by anybody, and one without seals can', {
  skip: programPath('runc') === undefined ? 'runc is not installed' : false,
}, () => {
  const found = JSON.parse(
    execFileSync('/usr/bin/python3', ['-I', '-S', '-B', '-c', ATTACK, HELPER], { encoding: 'utf8' }),
  );
  const all = (what: string) => ({ write: what, 'cut off': what, grow: what, map: what });
  assert.deepEqual(found.sealed, all('Operation not permitted'));
  assert.deepEqual(found.control, all('done'));
  assert.equal(found.same, true);
  assert.match(found.said, /^runc version/);
});
