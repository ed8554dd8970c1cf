/** The command line as data: a noun is a table of verbs, each with its arguments, flags, help and handler. */
import type { Api } from './api-client.ts';
import type { Output } from './output.ts';

/** What completion may offer for a value, from the live system. */
export type Live =
  | 'sandbox'
  | 'environment'
  | 'dataset'
  | 'run'
  | 'model'
  | 'user'
  | 'token'
  | 's3-key'
  | 'approval'
  | 'policy';

export type Flag = {
  /** Without the dashes. */
  name: string;
  short?: string;
  /** How the value is called in help; a flag without it is a switch. */
  value?: string;
  /** May be given several times. */
  many?: boolean;
  required?: boolean;
  choices?: readonly string[];
  live?: Live;
  help: string;
};

export type Argument = {
  name: string;
  /** Defaults to true. */
  required?: boolean;
  many?: boolean;
  choices?: readonly string[];
  live?: Live;
  help: string;
};

export type Command = {
  /** The word after the noun: `list`, or empty for a shortcut such as `up`; beside verbs, the empty one takes what is no verb. */
  verb: string;
  summary: string;
  /** One call as it is typed, for `--help`, the man page and the reference; a test parses it. */
  example: string;
  /** More for `--help`, after the summary. */
  details?: string;
  args?: readonly Argument[];
  flags?: readonly Flag[];
  /** What comes after `--` is the command's own; the name says how help calls it, in brackets when it may be left out. */
  rest?: string;
  /** Hidden from help and completion. */
  hidden?: boolean;
  /** Resolves to the exit code; nothing means 0. */
  run(context: Context): Promise<number | undefined>;
};

export type Noun = { name: string; summary: string; load(): Promise<readonly Command[]> };

/** The parsed words of one call. */
export type Words = {
  /** An argument by name; empty when it was not given. */
  arg(name: string): string;
  /** All values of the argument that takes several. */
  args(name: string): string[];
  text(flag: string): string | undefined;
  many(flag: string): string[];
  on(flag: string): boolean;
  rest: string[];
};

export type Context = Words & {
  out: Output;
  /** The REST API; connects at the first request. */
  api: Api;
  env: NodeJS.ProcessEnv;
  home: string;
  stdin: NodeJS.ReadStream;
  /** What an interrupt does unless a command takes it over: ends the program. */
  interrupt: () => void;
  /** Asks before something is destroyed; `--yes` says yes, `--no-input` (or no terminal) refuses. */
  confirm(question: string): Promise<void>;
  /** A secret from stdin (`-`) or a prompt that does not show it. */
  secret(prompt: string): Promise<string>;
};

/** A body without its undefined members. */
export function body(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}
