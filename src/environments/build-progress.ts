/** What builds of environments are doing now: the phase of each, and the end of what its programs say. Kept in memory, while they run. */
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import { showControls } from '#kernel/show-controls.ts';

/** In their order; `build` where packages come as source only, `wait` where the same lock is being installed already. */
export const PHASES = ['resolve', 'build', 'wait', 'download', 'install', 'compile', 'measure', 'store'] as const;
export type Phase = (typeof PHASES)[number];

/** `phase` begins one and ends the one before; `log` is a line of the program that is at work; `done` and `failed` are the last. */
export type BuildEvent = {
  timeMs: number;
  build: string;
  kind: 'phase' | 'log' | 'done' | 'failed';
  phase: Phase;
  text: string;
};

/** Where a build says what it does. */
export type Telling = { phase(name: Phase): void; log(line: string): void };
export type Build = Telling & { current(): Phase; end(how: 'done' | 'failed'): void };

type At = { user: string; name: string };
/** `earlier` is what the builds that run have told so far. */
export type BuildWatch = { earlier: BuildEvent[]; running(): number; stop(): void };

export type BuildProgress = {
  begin(at: At & { id: string }): Build;
  /** Hears what the builds of that user and name tell from now on. Throws `too_many_requests`. */
  watch(at: At, onEvent: (event: BuildEvent) => void): BuildWatch;
};

const MOST_WATCHES = 16;
const MOST_LOG_LINES = 200;
const LONGEST_LINE = 500;

export function createBuildProgress(deps: { clock: Clock; indexUrl: string | undefined }): BuildProgress {
  const running = new Map<string, Set<BuildEvent[]>>();
  const watches = new Map<string, Set<(event: BuildEvent) => void>>();
  const clean = cleaner(deps.indexUrl);
  const keyOf = ({ user, name }: At): string => JSON.stringify([user, name]);

  const begin: BuildProgress['begin'] = (at) => {
    const key = keyOf(at);
    const kept: BuildEvent[] = [];
    let phase: Phase = 'resolve';
    member(running, key).add(kept);
    const tell = (kind: BuildEvent['kind'], text: string): void => {
      const event = { timeMs: deps.clock.nowMs(), build: at.id, kind, phase, text };
      keep(kept, event);
      for (const onEvent of watches.get(key) ?? []) onEvent(event);
    };
    return {
      phase: (name) => {
        phase = name;
        tell('phase', '');
      },
      log: (line) => tell('log', clean(line)),
      current: () => phase,
      end: (how) => {
        leave(running, key, kept);
        tell(how, '');
      },
    };
  };

  const watch: BuildProgress['watch'] = (at, onEvent) => {
    const key = keyOf(at);
    if ((watches.get(key)?.size ?? 0) >= MOST_WATCHES)
      throw new AppError('too_many_requests', `Builds of "${at.name}" are watched ${MOST_WATCHES} times already.`, {
        details: { hint: 'End a watch first.' },
      });
    member(watches, key).add(onEvent);
    return {
      earlier: [...(running.get(key) ?? [])].flat(),
      running: () => running.get(key)?.size ?? 0,
      stop: () => leave(watches, key, onEvent),
    };
  };

  return { begin, watch };
}

/** What failed, with the phase in which it did. */
export function inPhase(thrown: unknown, phase: Phase): unknown {
  if (!(thrown instanceof AppError)) return thrown;
  return new AppError(thrown.code, `In the phase "${phase}": ${thrown.message}`, {
    details: thrown.details,
    cause: thrown,
  });
}

function member<T>(all: Map<string, Set<T>>, key: string): Set<T> {
  const found = all.get(key) ?? new Set<T>();
  all.set(key, found);
  return found;
}

function leave<T>(all: Map<string, Set<T>>, key: string, one: T): void {
  const found = all.get(key);
  found?.delete(one);
  if (found?.size === 0) all.delete(key);
}

/** Of the lines of programs only the newest are kept. */
function keep(kept: BuildEvent[], event: BuildEvent): void {
  kept.push(event);
  const logs = kept.filter(({ kind }) => kind === 'log');
  const [oldest] = logs;
  if (logs.length > MOST_LOG_LINES && oldest !== undefined) kept.splice(kept.indexOf(oldest), 1);
}

/** The password in an address, as it is written there and as it is meant. */
function passwordsOf(indexUrl: string | undefined): string[] {
  const password = indexUrl === undefined ? '' : (URL.parse(indexUrl)?.password ?? '');
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** Makes a line fit to be shown: no password of an index, nothing that a terminal obeys, and not too long. */
function cleaner(indexUrl: string | undefined): (line: string) => string {
  const secrets = passwordsOf(indexUrl);
  return (line) => {
    const known = secrets.reduce((left, secret) => left.replaceAll(secret, '(removed)'), line);
    return showControls(known.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, '$1(removed)@')).slice(0, LONGEST_LINE);
  };
}
