/** A command of Fumehood on a terminal, as a person has it: typed at, looked at, resized. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const PTY = join(import.meta.dirname, 'on_a_terminal.py');
const PATIENCE_MS = 60_000;

export type TestTerminal = {
  type(text: string): void;
  /** Waits until the screen has shown this, and gives all that was shown so far, raw. */
  shows(pattern: RegExp): Promise<string>;
  /** Makes it 100 columns and 30 rows. */
  widen(): void;
  /** The exit code. */
  ended(): Promise<number | null>;
  /** All that was shown, without colours and movements. */
  text(): string;
};

/** Starts it in a home, on 80 columns and 24 rows. */
export function openTerminal(words: string[], options: { home: string; env?: Record<string, string> }): TestTerminal {
  const {
    FUMEHOOD_TOKEN: _token,
    FUMEHOOD_URL: _url,
    NO_COLOR: _colour,
    CI: _ci,
    LC_ALL: _locale,
    ...inherited
  } = process.env;
  const child: ChildProcess = spawn('/usr/bin/python3', [PTY, process.execPath, MAIN, ...words], {
    env: {
      ...inherited,
      FUMEHOOD_HOME: options.home,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      PYTHONCOERCECLOCALE: '0',
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const exit = once(child, 'close').then(([code]) => code as number | null);
  const impatient = setTimeout(() => child.kill(), 2 * PATIENCE_MS);
  void exit.then(() => clearTimeout(impatient));
  return {
    type: (text) => void child.stdin?.write(text),
    shows: async (pattern) => {
      const until = Date.now() + PATIENCE_MS;
      while (!pattern.test(shown)) {
        if (Date.now() > until || child.exitCode !== null) {
          await sleep(100);
          if (pattern.test(shown)) break;
          child.kill();
          throw new Error(`${pattern} was not shown by "fumehood ${words.join(' ')}":\n${JSON.stringify(shown)}`);
        }
        await sleep(20);
      }
      return shown;
    },
    widen: () => void child.kill('SIGUSR1'),
    ended: () => exit,
    text: () => stripVTControlCharacters(shown).replaceAll('\r', ''),
  };
}
