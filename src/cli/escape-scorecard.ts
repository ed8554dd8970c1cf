/** `doctor --escape` and `audit verify --scorecard`: the escape suite on the user's own machine, and the check of what it wrote. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { createSigner, type Signer } from '#src/audit/checkpoint.ts';
import { loadLogKey, logKeyPath, logOrigin } from '#src/audit/log-key.ts';
import { loadConfig } from '#src/config/load-config.ts';
import type { Outcome } from '#src/escape/attack.ts';
import { FAMILIES } from '#src/escape/attacks/families.ts';
import { runSuite } from '#src/escape/run-suite.ts';
import { countsOf, verifyScorecard, writeScorecard } from '#src/escape/scorecard.ts';
import type { Result } from '#src/escape/verdict.ts';
import type { Context } from './command.ts';
import type { Column } from './table.ts';
import { VERSION } from './version.ts';

/** Runs the suite in a home of its own, prints the table, writes the signed card. 0 when nothing is broken, else 1. */
export async function runEscapeSuite(context: Context): Promise<number> {
  const only = context.many('only');
  requireFamilies(only);
  const signer = openSigner(context);
  const file = resolve(context.text('out') ?? 'scorecard.json');
  const interrupted = onInterrupt(context);
  const parts = await runSuite({
    interrupted,
    runtime: context.text('runtime') ?? 'runc',
    only,
    fumehoodVersion: VERSION,
    nowMs: Date.now,
    onFamily: (title) => {
      const end = context.out.phase(`Attacking: ${title}`);
      return (results) => end(summary(results));
    },
  });
  if (interrupted.aborted) return 130;
  writeFileSync(file, writeScorecard(parts, signer));
  const counts = countsOf(parts.attacks);
  const text = `${context.out.table(parts.attacks, COLUMNS)}\n${summary(parts.attacks)}; written to ${file}\n`;
  context.out.text(text, { ...counts, file, publicKey: signer.publicKey, ...parts });
  return counts.broken === 0 ? 0 : 1;
}

/** Ends the suite after the attack that is under way, so that nothing of it is left. */
function onInterrupt({ out }: Context): AbortSignal {
  const controller = new AbortController();
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => {
    out.note('stopping after this attack, and removing the sandboxes');
    controller.abort();
  });
  return controller.signal;
}

/** Checks a card offline, with the key that is given or with that of the home. */
export async function verifyCard(context: Context, file: string, givenKey: string | undefined): Promise<number> {
  const { ok, findings, card } = verifyScorecard(readCard(file), givenKey?.trim() ?? openSigner(context).publicKey);
  if (!ok || card === undefined) {
    if (context.out.json) context.out.item({ ok: false, findings });
    throw new AppError('integrity', `The scorecard is not as it was signed. ${findings.join('; ')}`, {
      details: { hint: 'Ask for it again where it was made, or for the key of the log that signed it.' },
    });
  }
  const { runtime, runtimeVersion, kernel, time } = card.machine;
  const text = `verified: ${summary(card.attacks)}; ${runtime} (${runtimeVersion}), kernel ${kernel.split(' ')[0]}, ${time}`;
  context.out.text(text, { ok: true, findings, ...countsOf(card.attacks), machine: card.machine });
  return 0;
}

function readCard(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `"${file}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

const shown = ({ outcome, why }: Outcome): string =>
  outcome === 'succeeded' ? `done${why === '' ? '' : `: ${why}`}` : why;

const COLUMNS: readonly Column[] = [
  ['ATTACK', (item) => `${item.family}/${item.name}`],
  ['OUTSIDE', (item) => shown(item.outside as Outcome)],
  ['INSIDE', (item) => shown(item.inside as Outcome)],
  ['VERDICT', 'verdict'],
  ['REASON', 'reason'],
];

function summary(results: readonly Result[]): string {
  const { held, notShown, broken } = countsOf(results);
  return `${held} held, ${notShown} not shown, ${broken} BROKEN`;
}

function requireFamilies(names: readonly string[]): void {
  const known = FAMILIES.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new AppError('invalid', `There is no family of attacks "${unknown}".`, {
      details: { hint: `It is one of ${known.join(', ')}.` },
    });
}

/** The signer of this home's log; a home that has never run gets the key that its log will have. */
function openSigner({ home, env }: Context): Signer {
  const path = logKeyPath(home);
  const { settings } = loadConfig({ home, env, cwd: process.cwd() });
  const isNew = settings['database.url'] === undefined && !existsSync(join(home, 'state.db'));
  if (isNew) for (const folder of ['', 'keys']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  return createSigner(logOrigin(home), loadLogKey(path, { logIsEmpty: isNew }));
}
