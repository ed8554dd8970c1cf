/**
 * A scorecard: what every attack came to on one machine. Beside it stands a signed note (c2sp.org/signed-note) with a digest of each of its
 * parts, so that whoever checks it can name the part that was changed.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { CheckpointError, openNote, type Signer } from '#src/audit/checkpoint.ts';
import type { Machine, SideChannels } from './machine.ts';
import type { Result } from './verdict.ts';

const FORMAT = 'fumehood-scorecard/1';

export type Card = { format: typeof FORMAT; machine: Machine; reportOnly: SideChannels; attacks: readonly Result[] };

const outcome = z.strictObject({ outcome: z.enum(['succeeded', 'refused']), why: z.string() });
const signedCard = z.strictObject({
  format: z.literal(FORMAT),
  machine: z.strictObject({
    kernel: z.string(),
    architecture: z.string(),
    driver: z.string(),
    runtime: z.string(),
    runtimeVersion: z.string(),
    cgroupVersion: z.number(),
    fumehoodVersion: z.string(),
    time: z.string(),
  }),
  reportOnly: z.strictObject({
    smt: z.string(),
    ksm: z.string(),
    mitigations: z.record(z.string(), z.string()),
    timerResolutionNs: z.strictObject({ promised: z.number(), seen: z.number() }),
  }),
  attacks: z.array(
    z.strictObject({
      family: z.string(),
      name: z.string(),
      attempts: z.string(),
      outside: outcome,
      inside: outcome,
      verdict: z.enum(['held', 'BROKEN', 'not shown']),
      reason: z.string(),
    }),
  ),
  publicKey: z.string(),
  note: z.string(),
});

export const countsOf = (attacks: readonly Result[]): { held: number; notShown: number; broken: number } => {
  const count = (verdict: Result['verdict']): number => attacks.filter((one) => one.verdict === verdict).length;
  return { held: count('held'), notShown: count('not shown'), broken: count('BROKEN') };
};

/** The text of the file. */
export function writeScorecard(parts: Omit<Card, 'format'>, signer: Signer): string {
  const card: Card = { format: FORMAT, ...parts };
  const note = signer.signNote(linesOf(card).join(''));
  return textOf({ ...card, publicKey: signer.publicKey, note });
}

const textOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const digestOf = (part: unknown): string => `sha256:${createHash('sha256').update(canonicalJson(part)).digest('hex')}`;

/** What is signed: a line for the format, and one for each part with its digest. */
const linesOf = ({ format, machine, reportOnly, attacks }: Card): string[] => [
  `${format}\n`,
  `machine ${digestOf(machine)}\n`,
  `report only ${digestOf(reportOnly)}\n`,
  ...attacks.map((attack) => `attack ${attack.family}/${attack.name} ${digestOf(attack)}\n`),
];

export type ScorecardCheck = { ok: boolean; findings: string[]; card?: Card };

/** Checks form, key, signature and every part; needs nothing but the file and the public key. */
export function verifyScorecard(text: string, publicKey: string): ScorecardCheck {
  const failed = (...findings: string[]): ScorecardCheck => ({ ok: false, findings });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failed(`it is not JSON: ${(error as Error).message}`);
  }
  const parsed = signedCard.safeParse(value);
  if (!parsed.success)
    return failed(...parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the card'}: ${message}`));
  const { publicKey: named, note, ...card } = parsed.data;
  const findings = [...differentKey(named, publicKey), ...unsigned(note, publicKey), ...differentParts(card, note)];
  const written = textOf(value);
  if (findings.length === 0 && written !== text)
    findings.push(`byte ${firstDifference(Buffer.from(written), Buffer.from(text))} is not as it was written`);
  return { ok: findings.length === 0, findings, card };
}

const differentKey = (named: string, publicKey: string): string[] =>
  named === publicKey ? [] : ['publicKey: it names another key than the one it is checked with'];

function unsigned(note: string, publicKey: string): string[] {
  try {
    openNote(note, publicKey);
    return [];
  } catch (error) {
    if (error instanceof CheckpointError) return [`note: ${error.message}`];
    throw error;
  }
}

/** Every part against its line; a line that differs is named by its part, whichever of the two was changed. */
function differentParts(card: Card, note: string): string[] {
  const lines = linesOf(card);
  const signed = note.slice(0, note.indexOf('\n\n') + 1).split(/(?<=\n)/);
  const findings: string[] = [];
  for (let at = 0; at < Math.max(lines.length, signed.length); at += 1) {
    if (lines[at] === signed[at]) continue;
    const name = (lines[at] ?? signed[at] ?? '').replace(/ sha256:.*\n$/, '').trim();
    findings.push(`${name}: it is not the part whose digest is signed`);
  }
  return findings.slice(0, 10);
}

function firstDifference(one: Buffer, other: Buffer): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
