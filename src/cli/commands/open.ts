import { AppError } from '#kernel/errors.ts';
import { at } from '../api-client.ts';
import { body, type Command, type Context, type Flag } from '../command.ts';
import { numberOf } from '../numbers.ts';
import { showInBrowser } from '../show-in-browser.ts';

type Opened = { id: string; name: string; port: number; url: string; urlExpiresAt: string; expiresAt: string };

export const openFlags: readonly Flag[] = [
  { name: 'port', value: 'N', help: 'another port of the sandbox, such as that of TensorBoard (else JupyterLab)' },
  { name: 'no-browser', help: 'print the link, and open nothing' },
];

/** Asks for a one-time link to a sandbox's port, and shows it. */
export async function openSandbox(context: Context, id: string): Promise<undefined> {
  const port = numberOf('port', context.text('port'));
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535))
    throw new AppError('invalid', `--port: ${port} is no port.`, {
      details: { hint: 'Give a number from 1 to 65535, on which something listens in the sandbox.' },
    });
  const end = context.out.phase(port === undefined ? 'Starting JupyterLab' : `Opening port ${port}`);
  const opened = await context.api
    .send<Opened>('POST', at('sandboxes', id, 'open'), { body: body({ port }) })
    .catch((error) => {
      end('failed');
      throw error;
    });
  end('done');
  if (!context.on('no-browser')) showInBrowser(opened.url, context);
  context.out.text(opened.url, opened);
  context.out.note('The link is good for one browser, within a minute; what it opens lasts as long as the sandbox.');
  return undefined;
}

type EnvironmentItem = { name: string; requirements: string[]; createdAt: string };

/** The environment that was asked for, else the newest one that was made with JupyterLab. */
async function environmentFor(context: Context): Promise<string> {
  const named = context.text('environment');
  if (named !== undefined) return named;
  const { items } = await context.api.send<{ items: EnvironmentItem[] }>('GET', at('environments'), {
    query: { limit: 1000 },
  });
  const fitting = items
    .filter((one) => one.requirements.some((line) => /^jupyterlab\b(?!-)/i.test(line.trim())))
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  const [newest] = fitting;
  if (newest !== undefined) return newest.name;
  throw new AppError('not_found', 'There is no environment with JupyterLab in it yet.', {
    details: { hint: 'Make one with "fumehood environment create notebook", which takes a minute or two.' },
  });
}

async function makeSandbox(context: Context): Promise<string> {
  const environment = await environmentFor(context);
  const end = context.out.phase(`Starting a sandbox with the environment "${environment}"`);
  const request = body({
    environment,
    name: context.text('name'),
    memory: context.text('memory'),
    ttl: context.text('ttl'),
    mounts: context.many('mount'),
    purpose: context.text('purpose'),
  });
  const made = await context.api
    .send<{ id: string; name: string; state: string }>('POST', at('sandboxes'), { body: request })
    .catch((error) => {
      end('failed');
      throw error;
    });
  end(`${made.state}: ${made.name}`);
  return made.id;
}

/** `fumehood open`. */
export const open: readonly Command[] = [
  {
    verb: '',
    summary: 'Open JupyterLab, or another port, of a sandbox in the browser',
    example: 'fumehood open --environment notebook --ttl 8h',
    details:
      'Without ID a sandbox is made first, with the newest environment that has JupyterLab, or with --environment.',
    args: [{ name: 'ID', live: 'sandbox', required: false, help: 'id or name of a sandbox' }],
    flags: [
      ...openFlags,
      { name: 'environment', value: 'NAME', live: 'environment', help: 'of the sandbox that is made' },
      { name: 'name', value: 'NAME', help: 'of the sandbox that is made' },
      { name: 'memory', value: 'SIZE', help: 'of the sandbox that is made, such as 2g' },
      { name: 'ttl', value: 'TIME', help: 'longest life of the sandbox that is made, such as 8h' },
      { name: 'mount', value: 'DATASET[@VERSION]', many: true, live: 'dataset', help: 'a data set for it' },
      { name: 'purpose', value: 'TEXT', help: 'what it is for; approvals are bound to it' },
    ],
    run: async (context) => {
      const given = context.arg('ID');
      return openSandbox(context, given === '' ? await makeSandbox(context) : given);
    },
  },
];
