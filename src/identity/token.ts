/** The noun: a token, which stands for its user and may narrow the user's rights. */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { PolicyObject } from '#src/policies/decision.ts';

/** A token's record; times in ms. The token itself is shown once and never stored. */
export type Token = {
  id: string;
  user: string;
  name: string;
  scopes: string[];
  createdMs: number;
  expiresMs: number | null;
  revokedMs: number | null;
  lastUsedMs: number | null;
};

const PREFIX = 'fh_';
const SHAPE = /^fh_[A-Za-z0-9_-]{43}$/;

/** Makes a token: `fh_` and 256 random bits in base64url. */
export const makeToken = (random: (size: number) => Buffer = randomBytes): string =>
  `${PREFIX}${random(32).toString('base64url')}`;

/** The form in which a token is stored and found: SHA-256, hex. It needs no salt, because a token has 256 random bits. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Whether text has the shape of a token. */
export const looksLikeToken = (text: string): boolean => SHAPE.test(text);

/** A scope: `*`, `ACTION`, `NOUN.*`, or one of these with `:OBJECT-ID` behind it, where the id may end in `*`. */
export const Scope = z
  .string()
  .max(500)
  .regex(/^(\*|[a-z-]+\.(\*|[a-z-]+))(:[^\s]+)?$/, 'a scope such as *, run.read, secret.* or object.read:datasets/*');

/** Whether a token with these scopes may hand on the asked ones: a narrowed token never makes a wider one. */
export const mayHandOn = (own: readonly string[], asked: readonly string[]): boolean =>
  own.includes('*') || asked.every((scope) => own.includes(scope));

/** The token as policy sees it. */
export const tokenObject = (id: string, user: string, more: Record<string, unknown> = {}): PolicyObject => ({
  type: 'token',
  id,
  owner: user,
  labels: [],
  ...more,
});

export const TokenView = z.object({
  id: z.string(),
  user: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
});
export type TokenView = z.infer<typeof TokenView>;

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** The token's record as the API shows it; times as ISO 8601. */
export const viewToken = (token: Token): TokenView => ({
  id: token.id,
  user: token.user,
  name: token.name,
  scopes: token.scopes,
  createdAt: new Date(token.createdMs).toISOString(),
  expiresAt: iso(token.expiresMs),
  revokedAt: iso(token.revokedMs),
  lastUsedAt: iso(token.lastUsedMs),
});
