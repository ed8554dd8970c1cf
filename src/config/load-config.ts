import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { readConfigFile, wrong } from './read-file.ts';
import { KEY_NAMES, KEYS, type Key, type KeyName, type Settings, variableOf } from './schema.ts';

/** Where a value came from: `--listen`, `FUMEHOOD_LISTEN`, `/etc/fumehood/config.yaml:3` or `default`. */
export type Origin = { kind: 'flag' | 'environment' | 'file' | 'default'; where: string };
export type Candidate = { value: unknown; origin: Origin };

export type Config = {
  settings: Settings;
  home: string;
  /** For each key all values that were given, the winner first. */
  candidates: ReadonlyMap<KeyName, readonly Candidate[]>;
};

export type ConfigSources = {
  home: string;
  flags?: Partial<Record<KeyName, string>>;
  env: NodeJS.ProcessEnv;
  cwd: string;
};

/** The user's own file. */
export function userConfigFile(env: NodeJS.ProcessEnv): string {
  const { XDG_CONFIG_HOME: config } = env;
  const folder = config?.startsWith('/') ? config : join(env.HOME ?? homedir(), '.config');
  return join(folder, 'fumehood', 'config.yaml');
}

/** The files that are read, the strongest first. */
export const configFiles = ({ env, cwd }: Pick<ConfigSources, 'env' | 'cwd'>): string[] => [
  resolve(cwd, 'fumehood.yaml'),
  userConfigFile(env),
  '/etc/fumehood/config.yaml',
];

/** Reads the configuration: flag, environment, `./fumehood.yaml`, the user's file, the system's file, default. Throws `invalid` with file and line for the first wrong thing. */
export function loadConfig(sources: ConfigSources): Config {
  const files = configFiles(sources).map((path) => ({ path, values: readConfigFile(path, isKey) }));
  for (const { path, values } of files) for (const one of values) if (!isKey(one.key)) throw unknownKey(path, one);
  const settings: Record<string, unknown> = {};
  const candidates = new Map<KeyName, Candidate[]>();
  for (const name of KEY_NAMES) {
    const given = candidatesOf(name, sources, files);
    for (const candidate of given) candidate.value = parse(name, candidate);
    candidates.set(name, given);
    settings[name] = given[0]?.value;
  }
  // Each value went through the schema of its key.
  const parsed = settings as Settings;
  if ((parsed['tls.cert'] === undefined) !== (parsed['tls.key'] === undefined))
    throw new AppError('invalid', 'tls.cert and tls.key belong together: one of them is missing.');
  return { settings: parsed, home: sources.home, candidates };
}

const isKey = (name: string): name is KeyName => Object.hasOwn(KEYS, name);

type Files = { path: string; values: { key: string; value: unknown; line: number }[] }[];

function candidatesOf(name: KeyName, sources: ConfigSources, files: Files): Candidate[] {
  const found: Candidate[] = [];
  const flag = sources.flags?.[name];
  if (flag !== undefined) found.push({ value: flag, origin: { kind: 'flag', where: `--${name}` } });
  const variable = variableOf(name);
  const env = sources.env[variable];
  if (env !== undefined && env !== '') found.push({ value: env, origin: { kind: 'environment', where: variable } });
  for (const { path, values } of files) {
    const one = values.find((value) => value.key === name);
    if (one !== undefined) found.push({ value: one.value, origin: { kind: 'file', where: `${path}:${one.line}` } });
  }
  found.push({ value: KEYS[name].fallback, origin: { kind: 'default', where: 'default' } });
  return found;
}

function parse(name: KeyName, { value, origin }: Candidate): unknown {
  const { schema }: Key = KEYS[name];
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const message = `${name}: ${parsed.error.issues[0]?.message ?? 'is not valid'}`;
  const [, path, line] = /^(.*):(\d+)$/.exec(origin.kind === 'file' ? origin.where : '') ?? [];
  if (path !== undefined) throw wrong(path, Number(line), message);
  throw new AppError('invalid', `${origin.where}: ${message}`, { details: { hint: `Correct ${origin.where}.` } });
}

function unknownKey(path: string, { key, line }: { key: string; line: number }): AppError {
  const last = key.split('.').at(-1) ?? '';
  const near = KEY_NAMES.find((name) => name.toLowerCase() === key.toLowerCase() || name.endsWith(`.${last}`));
  const hint = near === undefined ? 'See "fumehood config list" for the keys there are.' : `Did you mean "${near}"?`;
  return wrong(path, line, `there is no key "${key}"`, hint);
}
