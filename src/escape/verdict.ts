/** What an attack came to, inside the wall and where nothing holds it back, and what that shows. */
import type { Attack, Outcome } from './attack.ts';
import type { Difference } from './runtime-differences.ts';

/** `held` is claimed only of an attack that was stopped by the wall that should stop it, and that is seen to work outside. */
export type Verdict = 'held' | 'BROKEN' | 'not shown';

export type Result = {
  family: string;
  name: string;
  attempts: string;
  outside: Outcome;
  inside: Outcome;
  verdict: Verdict;
  /** Why nothing is shown; empty for the other verdicts. */
  reason: string;
};

/** What a kernel says that was built without something, in a control that has every right. */
const NOT_BUILT_IN = new Set(
  'ENOSYS EAFNOSUPPORT EPROTONOSUPPORT ENODEV ENOENT EOPNOTSUPP ENXIO ENODATA ESOCKTNOSUPPORT SIGSEGV EINVAL EPERM EACCES'.split(
    ' ',
  ),
);

type Judged = Pick<Attack, 'refusedBy' | 'mayLack'>;

/** Whether this machine cannot show the attack, by the name of what it lacks. */
export const isLacking = ({ mayLack }: Judged, outside: Outcome): boolean =>
  mayLack !== undefined && outside.outcome === 'refused' && NOT_BUILT_IN.has(outside.why);

/** What an attack came to that took its own sandbox with it. */
export const ENDED: Outcome = { outcome: 'succeeded', why: 'the sandbox no longer answers' };

const HARM = 'harm: ';

/** What an attack came to from which a neighbour, the host or a reader suffered: no runtime makes that harmless. */
export const harmTo = (what: string): Outcome => ({ outcome: 'succeeded', why: `${HARM}${what}` });

/** `difference`: what is known to be otherwise under the runtime that was attacked. */
export function judge(
  attack: Judged,
  inside: Outcome,
  outside: Outcome,
  difference?: Difference,
): Pick<Result, 'verdict' | 'reason'> {
  const notShown = (reason: string): Pick<Result, 'verdict' | 'reason'> => ({ verdict: 'not shown', reason });
  if (inside.outcome === 'succeeded') {
    const isEnd = inside.why === ENDED.why;
    if (inside.why.startsWith(HARM) || difference === undefined) return { verdict: 'BROKEN', reason: '' };
    if ('reaches' in difference && !isEnd) return notShown(difference.reaches);
    if ('ends' in difference && isEnd) return notShown(difference.ends);
    return { verdict: 'BROKEN', reason: '' };
  }
  const others = difference !== undefined && 'refusedBy' in difference ? difference.refusedBy : [];
  const walls = [...attack.refusedBy, ...others];
  if (!walls.includes(inside.why))
    return notShown(`stopped inside by ${inside.why}, which is not one of its walls (${walls.join(', ')})`);
  if (isLacking(attack, outside)) return notShown(`this machine lacks ${attack.mayLack} (${outside.why})`);
  if (outside.outcome === 'refused' && difference !== undefined && 'unseen' in difference)
    return notShown(difference.unseen);
  if (outside.outcome === 'refused') return notShown(`does not even work outside: ${outside.why}`);
  return { verdict: 'held', reason: '' };
}
