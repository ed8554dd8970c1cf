import { AppError } from '#kernel/errors.ts';
import type { Command, Context } from '../command.ts';
import { lockHome, lockOwner } from '../control-lock.ts';

/** `fumehood upgrade`. */
export const upgrade: readonly Command[] = [
  {
    verb: '',
    summary: 'Bring the store of the home to the version of this program, with a backup before',
    example: 'fumehood upgrade --check',
    details:
      'Needs the control plane to be down; "up" does the same. Ends with 8 when --check finds something to do. A store of a newer program is refused.',
    flags: [{ name: 'check', help: 'say what would be done, and do nothing' }],
    run: (context) => (context.on('check') ? check(context) : perform(context)),
  },
];

async function check(context: Context): Promise<number> {
  const { checkUpgrade, refuseNewer } = await import('../upgrade-home.ts');
  const found = await checkUpgrade(context);
  if (found === undefined) {
    context.out.text(`no store yet in ${context.home}`, { pending: [], unknown: [] });
    return 0;
  }
  refuseNewer(found);
  const steps = found.pending.map(({ version, name }) => `${String(version).padStart(3, '0')} ${name}\n`).join('');
  const text =
    found.pending.length === 0
      ? `schema ${found.schema} is that of this program: nothing to do\n`
      : `schema ${found.schema}, to be done:\n${steps}`;
  context.out.text(text, found);
  if (found.pending.length > 0) context.out.next('fumehood upgrade');
  return found.pending.length === 0 ? 0 : 8;
}

async function perform(context: Context): Promise<number> {
  if (lockOwner(context.home) !== undefined)
    throw new AppError('conflict', 'The control plane of this home is running.', {
      details: { hint: 'Stop it first: its process ends with SIGTERM, and sandboxes go on. Then: fumehood upgrade.' },
    });
  const { upgradeLocked } = await import('../upgrade-home.ts');
  const lock = lockHome(context.home);
  try {
    const done = await upgradeLocked(context);
    if (done === undefined) context.out.text(`no store yet in ${context.home}`, { pending: [], unknown: [] });
    else {
      const what = done.pending.length === 0 ? 'nothing to do' : `${done.pending.length} migration(s) made`;
      context.out.text(`${what}${done.backup === null ? '' : `; the store of before is in ${done.backup}`}`, done);
    }
    context.out.next('fumehood up --detach');
    return 0;
  } finally {
    lock.release();
  }
}
