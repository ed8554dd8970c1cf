/** A mount namespace of a test's own: what is mounted there nobody else sees, and it is gone when its holder ends. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type OwnMounts = {
  /** Words before a command that is to run in there. */
  within: string[];
  /** Runs a shell script in there; gives what it says. */
  shell(script: string, ...args: string[]): string;
  close(): void;
};

export async function openOwnMounts(): Promise<OwnMounts> {
  // Ends with this process, whose end of the pipe closes then.
  const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const { pid } = holder;
  if (pid === undefined) throw new Error('unshare cannot be run');
  const outside = readlinkSync('/proc/self/ns/mnt');
  while (readlinkSync(`/proc/${pid}/ns/mnt`) === outside) await sleep(10);
  const within = ['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--'];
  const shell: OwnMounts['shell'] = (script, ...args) => {
    const [program = '', ...words] = [...within, 'sh', '-ec', script, 'sh', ...args];
    return execFileSync(program, words, { encoding: 'utf8' });
  };
  // The copies of what is mounted for sandboxes of others would keep their workspaces from going away.
  shell(`sed -n 's|^[^ ]* [^ ]* [^ ]* [^ ]* \\(/run/fumehood/[^ ]*\\) .*|\\1|p' /proc/self/mountinfo | tac | while read -r path; do
    umount --lazy "$path" 2>/dev/null || true
  done`);
  return {
    within,
    shell,
    close: () => void holder.kill('SIGKILL'),
  };
}

/** How the runtime behaves: as it is, ending at once with an error, or not ending at all, in every call or in one of a kind. */
export type Behaviour = 'works' | 'fails' | 'hangs' | 'hangs-at-run' | 'hangs-at-delete';

export type FakeRuntime = { behave(how: Behaviour): void; remove(): void; putBack(): void; close(): void };

/** Puts a copy of the folder of `runc` over it in there, with a program in the place of `runc` that is the real one until it is told otherwise. */
export function coverRunc(mounts: OwnMounts): FakeRuntime {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-runc-'));
  const real = execFileSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' }).trim();
  const copy = join(folder, 'bin');
  const cover = join(copy, basename(real));
  const behave = (how: Behaviour): void => writeFileSync(join(folder, 'how'), how);
  execFileSync('cp', ['-a', dirname(real), copy]);
  renameSync(cover, join(folder, 'runc'));
  behave('works');
  writeFileSync(
    cover,
    `#!/bin/sh
case "$(cat '${folder}/how') $*" in
  fails*) echo "it is broken" >&2; exit 1 ;;
  "hangs "* | "hangs-at-run "*" run "* | "hangs-at-delete "*" delete "*) exec sleep 1000 ;;
esac
exec '${folder}/runc' "$@"
`,
    { mode: 0o755 },
  );
  // A mount inside the folder would keep the runtime from handing the folder on to sandboxes; one over it does not.
  mounts.shell('mount --bind "$1" "$2"', copy, dirname(real));
  return {
    behave,
    remove: () => renameSync(cover, join(folder, 'aside')),
    putBack: () => renameSync(join(folder, 'aside'), cover),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
