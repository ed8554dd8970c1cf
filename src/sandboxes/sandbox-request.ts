/** What a user may ask for, with sizes and times as people write them. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { parseByteSize, parseDuration } from '#kernel/quantities.ts';

const quantity = (name: string, parse: (text: string) => number, least: number) =>
  z.union([z.string(), z.number()]).transform((input, context) => {
    try {
      const value = typeof input === 'number' ? input : parse(input);
      if (!Number.isFinite(value) || value < least) throw new AppError('invalid', `${name} must be at least ${least}.`);
      return value;
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });

/** A time span as `10m`, or in ms as a number; at least a second. */
export const duration = (name: string) => quantity(name, parseDuration, 1000);

const MIB = 1024 * 1024;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const SandboxRequest = z.strictObject({
  name: z.string().regex(NAME, 'lower-case letters, digits and dashes, at most 63, like a host name').optional(),
  environment: z.string().min(1).max(200).optional(),
  memory: quantity('memory', parseByteSize, 16 * MIB)
    .optional()
    .describe('bytes, or as 2g, 512m'),
  cpus: z.number().positive().max(1024).optional(),
  disk: quantity('disk', parseByteSize, 16 * MIB)
    .optional()
    .describe('bytes, or as 1g'),
  pids: z.number().int().min(8).max(32768).optional(),
  gpus: z.number().int().min(0).max(1024).optional(),
  ttl: quantity('ttl', parseDuration, 1000).optional().describe('ms, or as 10m, 2h'),
  idle: quantity('idle', parseDuration, 1000).optional().describe('ms, or as 5m'),
  mounts: z
    .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(@[A-Za-z0-9.]{1,32})?$/, 'DATASET or DATASET@VERSION'))
    .max(64)
    .optional(),
  egress: z.array(z.string().min(3).max(300)).max(256).optional().describe('HOST:PORT'),
  grants: z
    .array(z.string().regex(/^model:[^@:\s]{1,200}$/, 'model:NAME/VERSION'))
    .max(64)
    .optional(),
  purpose: z.string().max(500).optional(),
  runtime: z.enum(['runc', 'crun', 'runsc']).optional(),
  image: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'the digest of an image that was added with PUT /api/v1/images')
    .optional(),
});
export type SandboxRequest = z.infer<typeof SandboxRequest>;

/** Parses HOST:PORT of an egress grant; the host is a DNS name or an address literal, lower-cased. */
export function parseEgress(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match?.[1] === undefined || port < 1 || port > 65535) {
    throw new AppError('invalid', `"${text}" is not HOST:PORT.`, {
      details: { field: 'egress', hint: 'Write it like --egress pypi.org:443.' },
    });
  }
  return { host: match[1].toLowerCase(), port };
}
