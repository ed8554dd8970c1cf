/** What an attack came to, inside the wall and where nothing holds it back, and what that shows. */
import type { Attack, Outcome } from './attack.ts';

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

export function judge(attack: Judged, inside: Outcome, outside: Outcome): Pick<Result, 'verdict' | 'reason'> {
  const notShown = (reason: string): Pick<Result, 'verdict' | 'reason'> => ({ verdict: 'not shown', reason });
  if (inside.outcome === 'succeeded') return { verdict: 'BROKEN', reason: '' };
  if (!attack.refusedBy.includes(inside.why))
    return notShown(`stopped inside by ${inside.why}, which is not one of its walls (${attack.refusedBy.join(', ')})`);
  if (isLacking(attack, outside)) return notShown(`this machine lacks ${attack.mayLack} (${outside.why})`);
  if (outside.outcome === 'refused') return notShown(`does not even work outside: ${outside.why}`);
  return { verdict: 'held', reason: '' };
}
