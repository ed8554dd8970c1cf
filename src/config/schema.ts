import { z } from 'zod';
import { parseByteSize, parseDuration } from '#kernel/quantities.ts';

const quantity = (parse: (text: string) => number) =>
  z.union([z.number(), z.string()]).transform((input, context) => {
    try {
      return parse(String(input));
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });

const bytes = quantity(parseByteSize);
const milliseconds = quantity(parseDuration);
const wholeNumber = 'a whole number from 0 on, such as 4';
const count = z.coerce.number({ error: wholeNumber }).int({ error: wholeNumber }).min(0, { error: wholeNumber });
const someNumber = 'a number above 0, such as 2 or 0.5';
const cores = z.coerce.number({ error: someNumber }).positive({ error: someNumber });
const text = z.string().min(1);
const yesNo = z.union([z.boolean(), z.stringbool()], { error: 'true or false' });
const listen = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'HOST:PORT, such as 127.0.0.1:3863');
const words = z.union([z.array(z.string()), z.string().transform((list) => list.split(',').filter(Boolean))]);

/** One key: how its value is checked, what it is when nobody says, and what it is for. */
export type Key = { schema: z.ZodType; fallback: unknown; help: string; secret?: true };

const key = <T>(
  schema: z.ZodType<T>,
  fallback: unknown,
  help: string,
): { schema: z.ZodType<T>; fallback: unknown; help: string } => ({
  schema,
  fallback,
  help,
});

/** Every key of the configuration. Sizes end in bytes, times in milliseconds; an undefined fallback means that nothing is set. */
export const KEYS = {
  listen: key(listen, '127.0.0.1:3863', 'where the API is served; a network address needs tls'),
  hosts: key(words, [], 'further names under which the API is reached'),
  'tls.cert': key(text.optional(), undefined, 'file with the certificate chain (PEM)'),
  'tls.key': key(text.optional(), undefined, 'file with its key (PEM)'),
  'apps.domain': key(
    z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/,
        'a name such as sandboxes.example.org',
      )
      .optional(),
    undefined,
    'with TLS, the name below which sandboxes are opened (the certificate must be good for *.NAME)',
  ),
  'database.url': {
    ...key(text.optional(), undefined, 'postgres://… instead of the SQLite file in the home'),
    secret: true as const,
  },
  'database.timeout': key(milliseconds, '20s', 'longest wait for an answer of PostgreSQL'),
  'log.level': key(z.enum(['debug', 'info', 'warn', 'error']), 'info', 'least level that is logged'),
  'log.format': key(
    z.enum(['json', 'text']).optional(),
    undefined,
    'form of a line of the log; text on a terminal and json elsewhere when unset',
  ),
  'log.maxSize': key(bytes, '16m', 'size at which control.log in the home begins anew; 0: never'),
  'log.files': key(count, 4, 'how many older control.log are kept'),
  'metrics.public': key(yesNo, false, 'serve /metrics to whoever reaches the API, without a token'),
  'otlp.endpoint': key(
    z.url({ protocol: /^https?$/ }).optional(),
    undefined,
    'OTLP/HTTP collector for traces and logs, such as http://127.0.0.1:4318; OTEL_EXPORTER_OTLP_ENDPOINT when unset',
  ),
  'sandbox.driver': key(text, 'oci', 'which driver runs sandboxes'),
  'sandbox.defaults.memory': key(bytes, '2g', 'memory of a sandbox that asks for none'),
  'sandbox.defaults.cpus': key(cores, 1, 'cores'),
  'sandbox.defaults.disk': key(bytes, '1g', 'size of /workspace'),
  'sandbox.defaults.pids': key(count, 256, 'most processes and threads'),
  'sandbox.defaults.ttl': key(milliseconds, '1h', 'longest life'),
  'sandbox.defaults.idle': key(milliseconds, '30m', 'longest idle time'),
  'sandbox.defaults.runtime': key(
    z.enum(['runc', 'crun', 'runsc']).optional(),
    undefined,
    'OCI runtime; the first that is installed when unset',
  ),
  'sandbox.startTimeout': key(milliseconds, '60s', 'longest call of the OCI runtime; a slower one is ended'),
  'sandbox.gpus': key(yesNo, false, 'hand out GPUs; their driver gives programs memory of the host that no cap counts'),
  'sandbox.maxTtl': key(milliseconds, '7d', 'longest life that may be asked for'),
  'pool.networks': key(count, 4, 'ready network namespaces'),
  'pool.workspaces': key(count, 2, 'ready workspaces of the default size'),
  'pool.warm': key(
    count,
    1,
    'sandboxes made ahead of the usual kind, and of each environment that was asked for lately',
  ),
  'pool.total': key(count, 4, 'most sandboxes made ahead of all kinds together'),
  'pool.forget': key(milliseconds, '30m', 'how long a kind is made ahead after it was last asked for'),
  'objects.keepFree': key(
    bytes,
    '1g',
    'what objects, artifacts and data sets leave free of their disk for the store and the log (a twentieth of it, if that is less)',
  ),
  'images.maxSize': key(bytes, '8g', 'size of one image, packed and unpacked'),
  'images.cache': key(
    bytes,
    '20g',
    'size of all unpacked images; the least recently used that no sandbox has go first',
  ),
  'egress.allowPrivate': key(words, [], 'addresses of private networks that egress may reach, each ADDRESS:PORT'),
  'egress.upstreamProxy': key(text.optional(), undefined, 'HTTP proxy that egress goes through'),
  'index.url': key(
    text.optional(),
    undefined,
    'package index (the simple API) instead of the one that uv is set up with',
  ),
  'datasets.tags': key(words, ['public', 'internal', 'PII', 'PHI', 'PCI'], 'tags that data sets may carry'),
  'quota.defaults.sandboxes': key(count, 16, 'sandboxes a user'),
  'quota.defaults.cpus': key(cores, 32, 'cores a user'),
  'quota.defaults.memory': key(bytes, '64g', 'memory a user'),
  'quota.defaults.disk': key(bytes, '256g', 'disk a user'),
  'quota.defaults.gpus': key(count, 8, 'GPUs a user'),
  'doors.public': key(yesNo, true, 'serve the doors also on the control plane, with authentication'),
} as const satisfies Record<string, Key>;

export type KeyName = keyof typeof KEYS;

/** The parsed configuration, by key. */
export type Settings = { readonly [K in KeyName]: z.infer<(typeof KEYS)[K]['schema']> };

export const KEY_NAMES = Object.keys(KEYS) as KeyName[];

/** Whether a key holds a size in bytes or a time in milliseconds. */
export function quantityOf(name: KeyName): 'size' | 'time' | undefined {
  const { schema }: Key = KEYS[name];
  return schema === bytes ? 'size' : schema === milliseconds ? 'time' : undefined;
}

/** `sandbox.maxTtl` → `FUMEHOOD_SANDBOX_MAX_TTL`. */
export const variableOf = (name: string): string =>
  `FUMEHOOD_${name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
