/** The noun: a visit, which admits one browser to one site (an origin of its own) in the name of the token that asked for it. */
import { createHash, randomBytes } from 'node:crypto';

/** Times in ms. The secrets themselves, ticket and cookie, are nowhere. */
export type Ticket = { site: string; tokenHash: string; path: string; expiresMs: number; usedMs: number | null };
export type Visit = { site: string; tokenHash: string; expiresMs: number };

/** How long a ticket may lie between the command that asked for it and the browser. */
export const TICKET_MS = 60_000;

/** 256 random bits in base64url: a ticket, or a browser's cookie. */
export const makeSecret = (): string => randomBytes(32).toString('base64url');

/** The form in which a secret is stored and found; 256 random bits need no salt. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

const SHAPE = /^[A-Za-z0-9_-]{43}$/;
export const looksLikeSecret = (text: string): boolean => SHAPE.test(text);
