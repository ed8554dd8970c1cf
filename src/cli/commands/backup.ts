import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command, Context } from '../command.ts';

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

const create: Command = {
  verb: 'create',
  summary: 'Write the whole state into one file: store, objects, and keys under a passphrase',
  example: 'fumehood backup create /backups/',
  details:
    'Consistent while the control plane runs; works also when it is down. Not in it: environments and images, which are made again from their locks, and the files of running sandboxes.',
  args: [{ name: 'TARGET', help: 'a file, or a folder that takes one named for the time' }],
  flags: [{ name: 'without-keys', help: 'leave the keys out; without them no object and no secret can be read' }],
  run: async (context) => {
    const { askAndSeal, createBackup } = await import('../create-backup.ts');
    const sealed = context.on('without-keys') ? undefined : await askAndSeal(context);
    const made = await createBackup(context, context.arg('TARGET'), sealed);
    context.out.item(made);
    if (sealed === undefined)
      context.out.note('the keys are not in it: keep keys/ and operator.token of the home somewhere safe');
    context.out.next(`fumehood backup verify ${made.file}`);
    return undefined;
  },
};

const verify: Command = {
  verb: 'verify',
  summary: 'Check a backup: every file by its digest, every object that the store names, the log by its checkpoint',
  example: 'fumehood backup verify /backups/fumehood.tar',
  args: [{ name: 'FILE', help: 'a file that "backup create" wrote' }],
  run: async (context) => {
    const { readBackup } = await import('#src/backups/read-backup.ts');
    const file = context.arg('FILE');
    const scratch = mkdtempSync(join(tmpdir(), 'fumehood-backup-'));
    const { add, end } = context.out.progress(`Verifying ${file}`, sizeOf(file));
    try {
      const { manifest, keys } = await readBackup(file, scratch, { keepFiles: false, onBytes: add });
      end('whole');
      const log = manifest.engine === 'sqlite' ? 'verified' : 'verified when it is restored';
      context.out.item({ ok: true, ...summaryOf(manifest), log, keys: keys === undefined ? 'left out' : 'sealed' });
      return undefined;
    } catch (error) {
      end('failed');
      throw error;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  },
};

const restore: Command = {
  verb: 'restore',
  summary: 'Make a home of a backup, on this machine or another; verified before it takes its name',
  example: 'fumehood backup restore /backups/fumehood.tar --home /var/lib/fumehood',
  details:
    'The home is named by --home and must be empty or not there. Every object is read and compared when the backup has keys.',
  args: [{ name: 'FILE', help: 'a file that "backup create" wrote' }],
  run: async (context) => {
    const { restoreBackup } = await import('#src/backups/restore-backup.ts');
    const { loadConfig } = await import('#src/config/load-config.ts');
    const file = resolve(context.arg('FILE'));
    const { add, end } = context.out.progress(`Restoring into ${context.home}`, sizeOf(file));
    const { mkdirSync } = await import('node:fs');
    mkdirSync(dirname(context.home), { recursive: true });
    try {
      const { manifest, withKeys } = await restoreBackup({
        file,
        home: context.home,
        databaseUrl: loadConfig({ home: context.home, env: context.env, cwd: process.cwd() }).settings['database.url'],
        passphrase: () => context.secret('Passphrase of the keys'),
        onBytes: add,
      });
      end('verified');
      context.out.item({ home: context.home, ...summaryOf(manifest), keys: withKeys ? 'restored' : 'left out' });
      tellNext(context, withKeys);
      return undefined;
    } catch (error) {
      end('failed');
      throw error;
    }
  },
};

function tellNext(context: Context, withKeys: boolean): void {
  if (!withKeys)
    context.out.note(
      `its keys are not in it: put fumehood.key and audit-log.pem into ${join(context.home, 'keys')}, and operator.token beside it`,
    );
  context.out.next(
    `fumehood up --detach --home ${context.home}`,
    `fumehood audit verify --home ${context.home}`,
    `fumehood environment list --home ${context.home}    # each is made again with "environment create"`,
  );
}

type Told = {
  createdAt: string;
  program: string;
  schema: number;
  log: { size: number; root: string };
  blobs: { count: number; bytes: number };
};

const summaryOf = ({ createdAt, program, schema, log, blobs }: Told) => ({
  createdAt,
  program,
  schema,
  entries: log.size,
  root: log.root,
  objects: blobs.count,
  objectBytes: blobs.bytes,
});

/** `fumehood backup`. */
export const backup: readonly Command[] = [create, verify, restore];
