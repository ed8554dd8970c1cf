import { AppError, toAppError } from '#kernel/errors.ts';
import { newContext, parseTraceparent, type SpanContext } from '#src/telemetry/traceparent.ts';
import { createApi } from './api-client.ts';
import { closest } from './closest.ts';
import type { Command, Context, Words } from './command.ts';
import { findConnection } from './connection.ts';
import { findHome } from './home.ts';
import { NOUNS } from './nouns.ts';
import { createOutput, type OutputMode } from './output.ts';
import { GLOBAL_FLAGS, parseWords } from './parse-words.ts';
import { confirm, readSecret } from './prompt.ts';

/** Runs one call of the command line; resolves to the exit code and never throws. */
export async function runCli(words: readonly string[], host: NodeJS.Process): Promise<number> {
  // A reader that goes away (`| head`) ends the program quietly.
  host.stdout.on('error', (error: NodeJS.ErrnoException) => host.exit(error.code === 'EPIPE' ? 0 : 1));
  // One that no longer reads what is told beside them stops nothing: what was begun is ended, and cleaned up after.
  host.stderr.on('error', () => undefined);
  const { env } = host;
  const out = createOutput(modeOf(words, env), host);
  const interrupt = (): void => host.exit(130);
  host.on('SIGINT', interrupt);
  // One call is one trace, or a part of the one that `TRACEPARENT` names.
  const parent = parseTraceparent(env.TRACEPARENT);
  const context = newContext(parent);
  const call: Ended = { name: 'fumehood', exitCode: 0, error: undefined };
  try {
    call.exitCode = await runWords(words, call, { out, host, interrupt, context });
  } catch (thrown) {
    call.error = toAppError(thrown).code;
    call.exitCode = out.error(thrown);
  } finally {
    host.off('SIGINT', interrupt);
  }
  if (env.FUMEHOOD_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT) {
    const { exportCall } = await import('./export-call.ts');
    const startMs = performance.timeOrigin;
    await exportCall(env, { ...call, context, parent, startMs, endMs: startMs + performance.now() });
  }
  return call.exitCode;
}

type Ended = { name: string; exitCode: number; error: string | undefined };
type Calling = { out: Context['out']; host: NodeJS.Process; interrupt: () => void; context: SpanContext };

/** Finds the command, names the call after it, and runs it. */
async function runWords(words: readonly string[], call: Ended, calling: Calling): Promise<number> {
  const { out } = calling;
  const found = await findCommand(flagsLast(words));
  if ('helpFor' in found) {
    const { helpFor, nounHelp } = await import('./help.ts');
    out.data(found.helpFor === undefined ? helpFor() : await nounHelp(found.helpFor));
    return 0;
  }
  const { command, called, rest } = found;
  call.name = called;
  const parsed = parseWords(command, called, rest);
  if (parsed.help) {
    const { commandHelp } = await import('./help.ts');
    out.data(commandHelp(command, called));
    return 0;
  }
  return (await command.run(contextOf(parsed, calling))) ?? 0;
}

function contextOf(parsed: Words, { out, host, interrupt, context }: Calling): Context {
  const { env, stdin, stderr } = host;
  const home = findHome(parsed.text('home'), env);
  const asking = { stdin, stderr, yes: parsed.on('yes'), noInput: parsed.on('no-input') };
  return {
    ...parsed,
    out,
    env,
    home,
    stdin,
    interrupt,
    api: createApi(() => findConnection(home, env), context),
    confirm: (question) => confirm(question, asking),
    secret: (prompt) => readSecret(prompt, asking),
  };
}

/** `--json` and `--plain` count wherever they stand before `--`, so that errors in parsing are shown as asked too. */
function modeOf(words: readonly string[], env: NodeJS.ProcessEnv): OutputMode {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const json = own.findLast((word) => word === '--json' || word.startsWith('--json='));
  const members = json?.slice('--json='.length).split(',').filter(Boolean);
  const wanted = json !== undefined || env.FUMEHOOD_OUTPUT === 'json';
  return {
    json: wanted ? (members !== undefined && members.length > 0 ? members : true) : undefined,
    plain: own.includes('--plain') || env.FUMEHOOD_OUTPUT === 'plain',
  };
}

/** Flags of every command may stand before it too: they are moved behind the noun and the verb. */
function flagsLast(words: readonly string[]): string[] {
  const flags: string[] = [];
  const rest = [...words];
  for (let word = rest[0]; word?.startsWith('-') && word !== '--'; word = rest[0]) {
    const flag = GLOBAL_FLAGS.find(
      ({ name, short }) =>
        word === `--${name}` || word?.startsWith(`--${name}=`) || (short !== undefined && word === `-${short}`),
    );
    if (flag === undefined || flag.name === 'help') break;
    flags.push(...rest.splice(0, flag.value !== undefined && word === `--${flag.name}` ? 2 : 1));
  }
  const end = rest.indexOf('--');
  return end === -1 ? [...rest, ...flags] : [...rest.slice(0, end), ...flags, ...rest.slice(end)];
}

type Found = { command: Command; called: string; rest: string[] } | { helpFor: string | undefined };

async function findCommand(words: readonly string[]): Promise<Found> {
  const [first, ...rest] = words.filter((word, at) => !(at === 0 && word === 'help'));
  if (first === undefined || first === '--help' || first === '-h') return { helpFor: undefined };
  const noun = NOUNS.find((one) => one.name === first);
  if (noun === undefined)
    throw unknownWord(
      'command',
      first,
      'fumehood',
      NOUNS.map((one) => one.name),
    );
  const commands = await noun.load();
  const shortcut = commands.find((one) => one.verb === '');
  const [verb, ...after] = rest;
  const alone = verb === undefined || verb === '--help' || verb === '-h';
  if (alone && (shortcut === undefined || commands.length > 1)) return { helpFor: first };
  const command = commands.find((one) => one.verb !== '' && one.verb === verb);
  if (command === undefined && shortcut !== undefined) return { command: shortcut, called: `fumehood ${first}`, rest };
  if (command === undefined)
    throw unknownWord(
      `${first} command`,
      verb ?? '',
      `fumehood ${first}`,
      commands.map((one) => one.verb),
    );
  return { command, called: `fumehood ${first} ${verb}`, rest: after };
}

function unknownWord(what: string, word: string, called: string, known: readonly string[]): AppError {
  const near = closest(word, known);
  return new AppError('invalid', `There is no ${what} "${word}".`, {
    details: { hint: near === undefined ? `See "${called} --help".` : `Did you mean "${called} ${near}"?` },
  });
}
