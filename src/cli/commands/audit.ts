import { readFileSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import type { Command, Context } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

type Verification = {
  ok: boolean;
  size: number;
  root: string;
  findings: { seq?: number; what: string }[];
  publicKey?: string;
  rows?: number;
};

const list: Command = {
  verb: 'list',
  summary: 'Entries of the audit log, newest first',
  example: 'fumehood audit list --outcome denied --since 2026-01-31T00:00:00Z',
  flags: [
    ...['actor', 'action', 'outcome', 'object'].map((name) => ({ name, value: 'TEXT', help: `only this ${name}` })),
    { name: 'request', value: 'ID', help: 'only those of a request' },
    { name: 'since', value: 'TIME', help: 'not before' },
    { name: 'until', value: 'TIME', help: 'before' },
    { name: 'order', value: 'ORDER', choices: ['asc', 'desc'], help: 'oldest or newest first' },
    ...pageFlags,
  ],
  run: ({ text, ...context }) => {
    const names = ['actor', 'action', 'outcome', 'object', 'since', 'until', 'order'];
    const query = { ...Object.fromEntries(names.map((name) => [name, text(name)])), requestId: text('request') };
    return printList({ text, ...context }, at('audit'), query, [
      ['SEQ', 'seq'],
      ['TIME', 'time'],
      ['ACTOR', (item) => named(item.actor)],
      ['ACTION', 'action'],
      ['OBJECT', (item) => named(item.object)],
      ['OUTCOME', 'outcome', { worth: 1 }],
    ]);
  },
};

const named = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const { kind, type, id, user } = value as Record<string, unknown>;
  return kind === undefined ? (user ?? id) : `${kind ?? type}:${id}`;
};

/** `fumehood audit`. */
export const audit: readonly Command[] = [
  list,
  {
    verb: 'get',
    summary: 'One entry',
    example: 'fumehood audit get 17',
    args: [{ name: 'SEQ', help: 'its position' }],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('audit', 'entries', context.arg('SEQ'))));
      return undefined;
    },
  },
  {
    verb: 'prove',
    summary: 'Prove that an entry is in the log',
    example: 'fumehood audit prove 17',
    args: [{ name: 'SEQ', help: 'its position' }],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('audit', 'entries', context.arg('SEQ'), 'proof')));
      return undefined;
    },
  },
  {
    verb: 'verify',
    summary: 'Check the whole log; with --dir, an export and without a server',
    example: 'fumehood audit verify',
    flags: [
      { name: 'dir', value: 'DIR', help: 'a folder that "audit export" wrote' },
      { name: 'scorecard', value: 'FILE', help: 'a scorecard that "doctor --escape" wrote, instead of the log' },
      { name: 'public-key', value: 'FILE', help: "the key that signed it (for a scorecard, else this home's)" },
      {
        name: 'checkpoint',
        value: 'FILE',
        help: 'a checkpoint that was kept: shows that nothing before it was taken away',
      },
    ],
    run: async (context) => {
      const scorecard = context.text('scorecard');
      if (scorecard !== undefined)
        return (await import('../escape-scorecard.ts')).verifyCard(context, scorecard, fileOf(context, 'public-key'));
      const result = context.text('dir') === undefined ? await verifyOnline(context) : await verifyOffline(context);
      return report(context, result);
    },
  },
  {
    verb: 'export',
    summary: 'Write everything that offline verification needs into a new folder',
    example: 'fumehood audit export ./log',
    args: [{ name: 'DIR', help: 'a folder that is empty or not there' }],
    run: async (context) => (await import('../export-audit.ts')).exportAudit(context),
  },
];

async function verifyOnline(context: Context): Promise<Verification> {
  const checkpoint = fileOf(context, 'checkpoint');
  return context.api.send('POST', at('audit', 'verify'), { body: checkpoint === undefined ? {} : { checkpoint } });
}

async function verifyOffline(context: Context): Promise<Verification> {
  const publicKey = fileOf(context, 'public-key');
  if (publicKey === undefined)
    throw new AppError('invalid', '--public-key FILE is missing: without it anybody could have signed.');
  const { verifyFolder } = await import('#src/audit/verify-folder.ts');
  const retained = fileOf(context, 'checkpoint');
  const dir = context.text('dir') ?? '';
  return verifyFolder({ dir, publicKey: publicKey.trim(), ...(retained === undefined ? {} : { retained }) });
}

function fileOf(context: Context, flag: string): string | undefined {
  const file = context.text(flag);
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `--${flag}: "${file}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function report(context: Context, result: Verification): number {
  if (!result.ok) {
    const first = result.findings[0];
    const where = first?.seq === undefined ? '' : `Entry ${first.seq}: `;
    if (context.out.json) context.out.item(result);
    throw new AppError('integrity', `The audit log is not as it was written. ${where}${first?.what ?? ''}`, {
      details: { hint: 'Keep this copy as evidence, and compare it with an export or a checkpoint kept elsewhere.' },
    });
  }
  const rows = result.rows === undefined ? '' : `; ${result.rows} rows stand as their entries left them`;
  context.out.text(`verified: ${result.size} entries, root ${result.root}${rows}`, result);
  return 0;
}
