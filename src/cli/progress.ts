/** What stderr shows while something takes its time: a spinner or a bar on a terminal, else one line a phase. */

import { formatBytes } from '#kernel/quantities.ts';
import { timeSpan } from './human-value.ts';
import type { Terminal } from './terminal.ts';

/** Ends a phase: its result stands beside its name and its time. */
export type EndPhase = (result?: string) => void;
export type Progress = { add(bytes: number): void; end: EndPhase };

type Screen = { stderr: NodeJS.WriteStream; terminal: Terminal; timed: boolean };

const DRAW_EVERY_MS = 120;
const BAR = 24;

/** Says what is being done; the returned function ends it. */
export function startPhase(line: string, screen: Screen): EndPhase {
  return startProgress(line, undefined, screen).end;
}

/** The same for work whose size (in bytes) is known. */
export function startProgress(line: string, total: number | undefined, screen: Screen): Progress {
  const { stderr, terminal } = screen;
  const started = performance.now();
  let done = 0;
  const took = (): string => (screen.timed ? ` (${timeSpan(performance.now() - started)})` : '');
  const add = (bytes: number): void => {
    done += bytes;
  };
  if (!terminal.live) {
    stderr.write(`${line}\n`);
    return {
      add,
      end: (result) => (result === undefined ? undefined : void stderr.write(`${line}: ${result}${took()}\n`)),
    };
  }
  let turn = 0;
  const draw = (): void => {
    stderr.write(
      `\r\x1b[K${frameOf(turn, terminal.unicode)} ${line}${barOf(done, total, terminal)}${elapsed(started)}`,
    );
    turn += 1;
  };
  draw();
  const timer = setInterval(draw, DRAW_EVERY_MS);
  timer.unref();
  return {
    add,
    end: (result = 'done') => {
      clearInterval(timer);
      stderr.write(`\r\x1b[K${line}: ${result}${took()}\n`);
    },
  };
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameOf = (turn: number, unicode: boolean): string =>
  unicode ? (SPINNER[turn % SPINNER.length] ?? '') : ('|/-\\'[turn % 4] ?? '');

const elapsed = (started: number): string => {
  const ms = performance.now() - started;
  return ms < 2000 ? '' : `  ${timeSpan(ms)}`;
};

function barOf(done: number, total: number | undefined, terminal: Terminal): string {
  if (total === undefined || total === 0) return '';
  const share = Math.min(1, done / total);
  const full = Math.round(share * BAR);
  const [on, off] = terminal.unicode ? ['█', '░'] : ['#', '.'];
  const bar = (terminal.columns ?? 80) < 60 ? '' : ` ${on.repeat(full)}${off.repeat(BAR - full)}`;
  return `${bar} ${Math.floor(share * 100)} % of ${formatBytes(total)}`;
}
