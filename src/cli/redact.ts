/** Takes out of a text whatever grants something: what this machine is known to hold, and what looks like it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loginFile } from './connection.ts';
import { readJson, readText } from './home.ts';

const REMOVED = '(removed)';
const SHORTEST = 6;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(-----END [A-Z ]+-----|$)/g, REMOVED],
  [/\bfh_[A-Za-z0-9_-]{16,}/g, REMOVED],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${REMOVED}`],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${REMOVED}@`],
  [/\b(FUME|AKIA|ASIA)[A-Z0-9]{16}\b/g, REMOVED],
  [
    /(["']?[\w.-]*(?:password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|authorization|credential)[\w.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,}&]+)/gi,
    `$1"${REMOVED}"`,
  ],
];

/** Secrets that lie on this machine: keys, tokens, the login, the environment. */
export function knownSecrets(home: string, env: NodeJS.ProcessEnv): string[] {
  const keys = join(home, 'keys');
  const files = existsSync(keys) ? readdirSync(keys).map((name) => join(keys, name)) : [];
  const lines = [...files, join(home, 'operator.token')].flatMap((file) => (readText(file) ?? '').split(/\s+/));
  const login = readJson(loginFile(env)) as { token?: string } | undefined;
  const named = Object.entries(env)
    .filter(([name]) => /TOKEN|SECRET|PASSWORD|PASSPHRASE|KEY$|DATABASE_URL/.test(name))
    .map(([, value]) => value);
  return [...lines, login?.token, ...named].filter((one): one is string => one !== undefined && one.length >= SHORTEST);
}

/** The text without them. */
export function redact(text: string, secrets: readonly string[]): string {
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  const known = longestFirst.reduce((left, secret) => left.replaceAll(secret, REMOVED), text);
  return PATTERNS.reduce((left, [pattern, by]) => left.replace(pattern, by), known);
}

/** The end of a log, at most so many lines, those of its newest older file included. */
export const lastLines = (file: string, lines: number): string =>
  [`${file}.1`, file]
    .filter((one) => existsSync(one))
    .map((one) => readFileSync(one, 'utf8'))
    .join('')
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .join('\n');
