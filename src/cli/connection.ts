import { homedir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { readControl, readJson, readText } from './home.ts';

export type Connection = { url: string; token: string | undefined };

/** Where `fumehood login` keeps what it was told (0600). */
export function loginFile(env: NodeJS.ProcessEnv): string {
  const config = env.XDG_CONFIG_HOME;
  return join(config?.startsWith('/') ? config : join(homedir(), '.config'), 'fumehood', 'login.json');
}

/**
 * Finds server and token: `FUMEHOOD_URL` and `FUMEHOOD_TOKEN`, else the home's running control plane with its operator's token
 * (readable by the same system user only), else what `fumehood login` keeps. A kept token is sent to its own server only.
 */
export function findConnection(home: string, env: NodeJS.ProcessEnv): Connection {
  const login = readJson(loginFile(env)) as { url?: string; token?: string } | undefined;
  const local = readControl(home);
  const url = filled(env.FUMEHOOD_URL) ?? local?.url ?? login?.url;
  if (url === undefined)
    throw new AppError('unavailable', `No control plane runs in ${home}.`, {
      details: {
        hint: 'Start one with "fumehood up --detach", or point to one with FUMEHOOD_URL or "fumehood login".',
      },
    });
  const token =
    filled(env.FUMEHOOD_TOKEN) ??
    (local !== undefined && sameServer(url, local.url) ? operatorToken(home) : undefined) ??
    (login?.url !== undefined && sameServer(url, login.url) ? login.token : undefined);
  if (token === undefined && local !== undefined && sameServer(url, local.url)) throw noOperatorToken(home, local.pid);
  return { url: url.replace(/\/+$/, ''), token };
}

const noOperatorToken = (home: string, pid: number): AppError =>
  new AppError('unauthenticated', `The file operator.token is not in ${home}, and FUMEHOOD_TOKEN is not set.`, {
    details: {
      hint: `Put the file back, or set FUMEHOOD_TOKEN. Where the token is lost: "kill ${pid}", then "fumehood up --detach --new-operator-token"; sandboxes go on.`,
    },
  });

const filled = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

const operatorToken = (home: string): string | undefined => filled(readText(join(home, 'operator.token'))?.trim());

function sameServer(one: string, other: string): boolean {
  try {
    return new URL(one).origin === new URL(other).origin;
  } catch {
    return false;
  }
}
