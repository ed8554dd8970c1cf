import { AppError } from '#kernel/errors.ts';
import { parseDuration } from '#kernel/quantities.ts';
import { at } from '../api-client.ts';
import { body, type Command, type Context } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

type Key = { accessKeyId: string; secretAccessKey: string; readOnly: boolean; expiresAt: string };

/** `token s3-key`, `s3-list` and `s3-revoke`: key pairs for S3 clients outside of sandboxes. */
export const s3Keys: readonly Command[] = [
  {
    verb: 's3-key',
    summary: 'Make an S3 key pair of your own for clients outside of sandboxes, and print it, once',
    example: 'eval "$(fumehood token s3-key --export)"',
    flags: [
      { name: 'read-only', help: 'the key only reads' },
      { name: 'ttl', value: 'TIME', help: 'how long it works, from 1m to 12h (else 1h)' },
      { name: 'export', help: 'as lines for a shell: address, key pair and region' },
    ],
    run: async (context) => {
      const ttlSeconds = secondsOf(context.text('ttl'));
      const request = body({ readOnly: context.on('read-only') || undefined, ttlSeconds });
      const endpoint = await endpointOf(context);
      const key = await context.api.send<Key>('POST', at('access-keys'), { body: request });
      if (context.on('export')) context.out.text(exportLines(endpoint, key), { endpoint, ...key });
      else context.out.item({ endpoint, ...key });
      context.out.next(`fumehood token s3-revoke ${key.accessKeyId}`);
      return undefined;
    },
  },
  {
    verb: 's3-list',
    summary: 'Your S3 key pairs that work now: ids and times, never the secrets',
    example: 'fumehood token s3-list',
    details: 'Key pairs of sandboxes are not shown: they end with their sandbox.',
    flags: [{ name: 'all', help: "everybody's" }, ...pageFlags],
    run: (context) =>
      printList(context, at('access-keys'), { all: context.on('all') || undefined }, [
        ['KEY ID', 'accessKeyId', { keep: true }],
        ['USER', 'user'],
        ['RIGHTS', ({ readOnly }) => (readOnly === true ? 'read' : 'read, write')],
        ['MADE', 'createdAt'],
        ['EXPIRES', 'expiresAt'],
      ]),
  },
  {
    verb: 's3-revoke',
    summary: 'End S3 key pairs at once',
    example: 'fumehood token s3-revoke FUMEABCDEFGHIJKLMNOP',
    args: [{ name: 'KEY-ID', many: true, live: 's3-key', help: 'the id of a key pair; "token s3-list" shows them' }],
    run: async (context) => {
      for (const id of context.args('KEY-ID')) {
        await context.api.send('DELETE', at('access-keys', id));
        context.out.text(`revoked ${id}`, { accessKeyId: id, revoked: true });
      }
      return undefined;
    },
  },
];

function secondsOf(ttl: string | undefined): number | undefined {
  if (ttl === undefined) return undefined;
  const seconds = Math.round(parseDuration(ttl) / 1000);
  if (seconds < 60 || seconds > 12 * 60 * 60)
    throw new AppError('invalid', `--ttl: "${ttl}" is not between 1m and 12h.`, {
      details: { hint: 'Write it like --ttl 2h; make a new key pair when it has ended.' },
    });
  return seconds;
}

async function endpointOf(context: Context): Promise<string> {
  const { doors } = await context.api.send<{ doors: Record<string, string> }>('GET', at('status'));
  if (doors.s3 === undefined)
    throw new AppError('unsupported', 'The S3 door is not served outside of sandboxes here.', {
      details: { hint: 'An operator sets doors.public to true; inside a sandbox it is http://localhost:9000.' },
    });
  return doors.s3;
}

/** Every value is of letters that a shell leaves alone. */
const exportLines = (endpoint: string, key: Key): string =>
  Object.entries({
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
  })
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
