/** What the streams of one call can show. */
export type Terminal = {
  /** Columns of stdout; undefined where it is no terminal, and nothing is cut. */
  columns: number | undefined;
  /** Whether stdout and stderr take colour. */
  colour: { stdout: boolean; stderr: boolean };
  /** Whether lines may be drawn over again on stderr. */
  live: boolean;
  /** Whether the locale has more than ASCII. */
  unicode: boolean;
  /** Whether somebody reads stderr, so that a hint is not noise. */
  watched: boolean;
};

type Streams = { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream; env: NodeJS.ProcessEnv };

const LEAST_COLUMNS = 20;

/** Looks at the streams, at `NO_COLOR`, `FORCE_COLOR`, `TERM`, `COLUMNS`, `CI` and the locale. */
export function lookAtTerminal(plain: boolean, { stdout, stderr, env }: Streams): Terminal {
  const dumb = env.TERM === 'dumb';
  const off = plain || dumb || (env.NO_COLOR !== undefined && env.NO_COLOR !== '');
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  return {
    columns: columnsOf(stdout, env),
    colour: {
      stdout: !off && (stdout.isTTY === true || forced),
      stderr: !off && (stderr.isTTY === true || forced),
    },
    live: !plain && !dumb && env.CI === undefined && stderr.isTTY === true,
    unicode: /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || ''),
    watched: !plain && stderr.isTTY === true,
  };
}

function columnsOf(stdout: NodeJS.WriteStream, env: NodeJS.ProcessEnv): number | undefined {
  if (stdout.isTTY !== true) return undefined;
  const columns = stdout.columns || Number(env.COLUMNS) || 80;
  return Math.max(LEAST_COLUMNS, columns);
}
