/** `fumehood demo`: the whole story in a home of its own, asking nothing, removing what it made. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommands } from './demo-commands.ts';
import { DEMO_STEPS, type DemoContext } from './demo-steps.ts';

export type DemoOptions = {
  /** The words that start this program, such as the wrapper's path. */
  entry: string[];
  home: string;
  keep: boolean;
  trainSeconds: number;
  python: string;
  /** The checkout's `examples/`. */
  examples: string;
  env: NodeJS.ProcessEnv;
  write: (text: string) => void;
};

/** Runs all steps with their times; resolves to the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { write } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-demo-'));
  const tokens = new Map<string, string>();
  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...inherited } = options.env;
  const env = { ...inherited, FUMEHOOD_HOME: options.home, FUMEHOOD_LISTEN: '127.0.0.1:0', FUMEHOOD_OUTPUT: 'plain' };
  const commands = createCommands({ entry: options.entry, env, tokens, write });
  const say = (text: string): void => write(`${text}\n`);
  const context: DemoContext = {
    commands,
    tokens,
    scratch,
    examples: options.examples,
    python: options.python,
    trainSeconds: options.trainSeconds,
    say,
  };
  const started = performance.now();
  try {
    await removeHome(options.home, commands);
    mkdirSync(options.home, { recursive: true, mode: 0o700 });
    for (const [index, step] of DEMO_STEPS.entries())
      await timed(`${index + 1}. ${step.title}`, () => step.run(context), say);
    if (options.keep) {
      say(`\nKept running in ${options.home}: FUMEHOOD_HOME=${options.home} fumehood status`);
    } else {
      await timed(
        `${DEMO_STEPS.length + 1}. Remove everything, and look whether anything is left`,
        () => removeHome(options.home, commands, true),
        say,
      );
    }
    say(`\nThe demo took ${((performance.now() - started) / 1000).toFixed(0)} s.`);
    return 0;
  } catch (error) {
    say(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
    if (!options.keep)
      await removeHome(options.home, commands).catch((again) =>
        say(`and its home could not be removed: ${String(again)}`),
      );
    return 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function timed(title: string, work: () => Promise<void>, say: (text: string) => void): Promise<void> {
  const started = performance.now();
  say(`\n${title}`);
  await work();
  say(`    ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Ends what runs in the demo's home, then removes the home. */
async function removeHome(
  home: string,
  commands: { show(args: string[]): Promise<string> },
  always = false,
): Promise<void> {
  if (always || existsSync(join(home, 'control.json'))) await commands.show(['down', '--yes']);
  rmSync(home, { recursive: true, force: true });
}
