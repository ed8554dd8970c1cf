import { at } from '../api-client.ts';
import { type Argument, body, type Command, type Context, type Flag } from '../command.ts';
import { numberOf } from '../numbers.ts';
import type { Column } from '../table.ts';
import { tellEndings } from '../tell-endings.ts';
import { openFlags, openSandbox } from './open.ts';
import { pageFlags, printList } from './paging.ts';
import { watchFiles } from './sandbox-watch.ts';

const id: Argument = { name: 'ID', live: 'sandbox', help: 'id of a sandbox, or the name of one of your own' };
const ids: Argument = { ...id, many: true };
const dryRun: Flag = { name: 'dry-run', help: 'say what would be done, and do nothing' };

const everyFlag: Flag = { name: 'every', value: 'TIME', help: 'how often to look (else 2s)' };

const columns: readonly Column[] = [
  ['NAME', 'name', { keep: true }],
  ['STATE', 'state'],
  ['EXPIRES', 'expiresAt'],
  ['LABELS', 'labels'],
  ['OWNER', 'owner'],
  ['ID', 'id', { keep: true }],
];
const members = ['id', 'name', 'owner', 'state', 'reason', 'labels', 'purpose', 'runtime', 'createdAt', 'expiresAt'];

/** Prints one answer, or a list when several were asked about. */
async function each(
  context: Context,
  work: (id: string) => Promise<object>,
  shown: readonly Column[],
): Promise<undefined> {
  const wanted = context.args('ID');
  const answers: object[] = [];
  for (const one of wanted) answers.push(await work(one));
  const [only] = answers;
  if (answers.length === 1 && only !== undefined) context.out.item(only);
  else context.out.list({ items: answers, next: null }, shown);
  return undefined;
}

const create: Command = {
  verb: 'create',
  summary: 'Admit and start a sandbox; answers when it runs',
  example: 'fumehood sandbox create --name first --memory 2g --ttl 1h --mount topics@1',
  flags: [
    { name: 'name', value: 'NAME', help: 'lower-case letters, digits, dashes' },
    { name: 'environment', value: 'NAME', live: 'environment', help: 'the Python environment in it' },
    { name: 'memory', value: 'SIZE', help: 'such as 2g' },
    { name: 'cpus', value: 'N', help: 'cores, such as 2 or 0.5' },
    { name: 'disk', value: 'SIZE', help: 'size of /workspace, such as 1g' },
    { name: 'pids', value: 'N', help: 'most processes and threads' },
    { name: 'gpus', value: 'N', help: 'GPUs' },
    { name: 'ttl', value: 'TIME', help: 'longest life, such as 10m' },
    { name: 'idle', value: 'TIME', help: 'ends after so much idle time, such as 5m' },
    {
      name: 'mount',
      value: 'DATASET[@VERSION]',
      many: true,
      live: 'dataset',
      help: 'a data set, read-only at /data/NAME',
    },
    { name: 'egress', value: 'HOST:PORT', many: true, help: 'a host that may be reached through the proxy' },
    { name: 'grant', value: 'model:NAME/VERSION', many: true, help: 'a model that may be read' },
    { name: 'purpose', value: 'TEXT', help: 'what it is for; approvals are bound to it' },
    { name: 'runtime', value: 'RUNTIME', choices: ['runc', 'crun', 'runsc'], help: 'the OCI runtime' },
    {
      name: 'image',
      value: 'DIR|DIGEST',
      help: 'an OCI image layout (a folder or a tar of one) to be the root, or one that was added',
    },
  ],
  run: async (context) => {
    const { text, many } = context;
    const image = text('image');
    const digest = image === undefined ? undefined : await (await import('../send-image.ts')).digestOf(context, image);
    const end = context.out.phase('Starting the sandbox');
    const request = body({
      name: text('name'),
      environment: text('environment'),
      memory: text('memory'),
      cpus: numberOf('cpus', text('cpus')),
      disk: text('disk'),
      pids: numberOf('pids', text('pids')),
      gpus: numberOf('gpus', text('gpus')),
      ttl: text('ttl'),
      idle: text('idle'),
      mounts: many('mount'),
      egress: many('egress'),
      grants: many('grant'),
      purpose: text('purpose'),
      runtime: text('runtime'),
      image: digest,
    });
    const made = await context.api
      .send<{ name: string; state: string }>('POST', at('sandboxes'), { body: request })
      .catch((error) => {
        end('failed');
        throw error;
      });
    end(made.state);
    context.out.item(made, members);
    context.out.next(`fumehood sandbox exec ${made.name} -- python3 --version`, `fumehood sandbox delete ${made.name}`);
    return undefined;
  },
};

const stop: Command = {
  verb: 'stop',
  summary: 'End every process of a sandbox; its workspace stays until it is deleted',
  example: 'fumehood sandbox stop first',
  args: [ids],
  flags: [{ name: 'grace', value: 'MS', help: 'milliseconds between TERM and KILL' }],
  run: (context) => {
    const graceMs = numberOf('grace', context.text('grace'));
    return each(
      context,
      (one) => context.api.send('POST', at('sandboxes', one, 'stop'), { body: body({ graceMs }) }),
      columns,
    );
  },
};

const remove: Command = {
  verb: 'delete',
  summary: 'End a sandbox and prove that nothing of it remains',
  example: 'fumehood sandbox delete first --yes',
  args: [ids],
  flags: [dryRun],
  run: async (context) => {
    const wanted = context.args('ID');
    if (!context.on('dry-run')) await context.confirm(`Delete ${wanted.join(', ')} with all that is in it?`);
    let remains = 0;
    await each(
      context,
      async (one) => {
        const query = { dryRun: context.on('dry-run') ? true : undefined };
        const removed = await context.api.send<{ remains: unknown[] }>('DELETE', at('sandboxes', one), { query });
        remains += context.on('dry-run') ? 0 : removed.remains.length;
        return removed;
      },
      [
        ['ID', 'id'],
        ['NAME', 'name'],
        ['STATE', 'state'],
        ['REMAINS', 'remains'],
      ],
    );
    return remains === 0 ? 0 : 1;
  },
};

const keepalive: Command = {
  verb: 'keepalive',
  summary: 'Count as work now; with --ttl, move the end',
  example: 'fumehood sandbox keepalive first --ttl 1h',
  args: [ids],
  flags: [{ name: 'ttl', value: 'TIME', help: 'from now on, such as 1h' }],
  run: (context) =>
    each(
      context,
      (one) =>
        context.api.send('POST', at('sandboxes', one, 'keepalive'), { body: body({ ttl: context.text('ttl') }) }),
      columns,
    ),
};

const look: readonly Command[] = [
  {
    verb: 'list',
    summary: 'Your sandboxes, newest first',
    example: 'fumehood sandbox list',
    flags: [
      { name: 'all', help: 'deleted ones too' },
      { name: 'everybody', help: "everybody's, not only your own" },
      ...pageFlags,
    ],
    run: (context) => {
      const query = { all: context.on('all') || undefined, mine: context.on('everybody') ? false : undefined };
      return printList(context, at('sandboxes'), query, columns, (items) => {
        const running = (items as { name: string; state: string; expiresAt: string }[]).filter(
          (one) => one.state === 'running',
        );
        tellEndings(context, running, Date.now());
      });
    },
  },
  {
    verb: 'get',
    summary: 'All about a sandbox',
    example: 'fumehood sandbox get first',
    args: [ids],
    run: (context) => each(context, (one) => context.api.send('GET', at('sandboxes', one)), columns),
  },
  {
    verb: 'stats',
    summary: 'What a sandbox uses now',
    example: 'fumehood sandbox stats first',
    args: [ids],
    flags: [{ name: 'watch', short: 'w', help: 'go on looking until Ctrl-C' }, everyFlag],
    run: async (context) => {
      if (context.on('watch')) return (await import('../top.ts')).top(context, context.args('ID'));
      return each(context, (one) => context.api.send('GET', at('sandboxes', one, 'stats')), [
        ['ID', 'id', { keep: true }],
        ['CPU s', 'cpuSeconds'],
        ['MEMORY', 'memoryBytes'],
        ['PIDS', 'pids'],
        ['DISK', 'diskBytes'],
        ['IDLE', 'idleMs'],
      ]);
    },
  },
  {
    verb: 'logs',
    summary: 'What happened to a sandbox',
    example: 'fumehood sandbox logs first',
    args: [id],
    flags: [{ name: 'follow', short: 'f', help: 'go on until the sandbox has ended' }],
    run: async (context) => {
      if (context.on('follow')) return (await import('../follow-logs.ts')).followLogs(context);
      return printList(context, at('sandboxes', context.arg('ID'), 'logs'), {}, [
        ['TIME', 'time'],
        ['KIND', 'kind'],
        ['MESSAGE', 'message'],
      ]);
    },
  },
];

const execFlags: readonly Flag[] = [
  { name: 'timeout', value: 'TIME', help: 'end the command after so long, such as 30s' },
  { name: 'cwd', value: 'DIR', help: 'where it runs (else /workspace)' },
  { name: 'env', value: 'K=V', many: true, help: 'a variable of the command' },
];

const inside: readonly Command[] = [
  {
    verb: 'exec',
    summary: 'Run a command in a sandbox; its exit code is passed on',
    example: 'fumehood sandbox exec first -- python3 train.py',
    details: 'Faults of Fumehood itself give 125, a command that cannot be run 126, one that is not there 127.',
    args: [id],
    flags: [...execFlags, { name: 'terminal', short: 't', help: 'give the command a terminal' }],
    rest: 'COMMAND...',
    run: async (context) => (await import('../exec.ts')).execCommand(context),
  },
  {
    verb: 'shell',
    summary: 'A shell in a sandbox, on a terminal of its own',
    example: 'fumehood sandbox shell first',
    details: 'Size, colours and full-screen programs work as on a local one. Ends with the exit code of the shell.',
    args: [id],
    flags: execFlags.filter((flag) => flag.name !== 'timeout'),
    run: async (context) => (await import('../exec.ts')).shell(context),
  },
  {
    verb: 'run-python',
    summary: 'Run a Python file in the warm interpreter of a sandbox',
    example: 'fumehood sandbox run-python first train.py',
    args: [id, { name: 'FILE', help: 'the file, or - for stdin' }],
    flags: execFlags,
    run: async (context) => (await import('../exec.ts')).runPython(context),
  },
  {
    verb: 'cp',
    summary: 'Copy a file or a folder into or out of a sandbox',
    example: 'fumehood sandbox cp train.py first:/workspace/',
    args: [
      { name: 'SRC', help: 'a path, ID:PATH, or - for standard input' },
      { name: 'DST', help: 'a path, ID:PATH, or - for standard output' },
    ],
    run: async (context) => (await import('../copy.ts')).copy(context),
  },
  watchFiles(id),
  {
    verb: 'open',
    summary: 'Open JupyterLab, or another port, of a sandbox in the browser',
    example: 'fumehood sandbox open first --port 6006',
    args: [id],
    flags: openFlags,
    run: async (context) => openSandbox(context, context.arg('ID')),
  },
];

/** `fumehood sandbox`. */
export const sandbox: readonly Command[] = [create, ...look, ...inside, keepalive, stop, remove];
