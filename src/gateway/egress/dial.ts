/** From a name to a connection: resolved once, every address looked at, and dialled is what was resolved. */
import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { AppError } from '#kernel/errors.ts';
import { forbiddenReason, formatAddress, parseAddress } from './address.ts';
import { authorityOf, type Target } from './authority.ts';

/** All addresses of a name, as text. */
export type Resolve = (host: string) => Promise<string[]>;

export const resolveOnHost: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map((one) => one.address);

export type AddressRules = {
  /** `address:port` pairs that may be reached though they are private: a package index, a test. */
  allowPrivate: readonly string[];
  /** The host's own addresses; whatever listens there is not meant for sandboxes. */
  ownAddresses?: () => string[];
};

const hostAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address));

/**
 * The addresses of a target, all of which may be reached. Throws `denied` when any may not (one bad address spoils the name),
 * `unavailable` when there are none.
 */
export async function resolveTarget(target: Target, resolve: Resolve, rules: AddressRules): Promise<string[]> {
  const found = target.address === undefined ? await resolveName(target.host, resolve) : [target.host];
  const addresses = found.map((text) => checkAddress(text, target, rules));
  if (addresses.length === 0) throw unresolved(target.host);
  return [...new Set(addresses)];
}

async function resolveName(host: string, resolve: Resolve): Promise<string[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    throw unresolved(host, cause);
  }
}

function checkAddress(text: string, target: Target, rules: AddressRules): string {
  const address = parseAddress(text.replace(/%.*$/, ''));
  const canonical = address === undefined ? text : formatAddress(address);
  if (rules.allowPrivate.includes(authorityOf({ host: canonical, port: target.port }))) return canonical;
  const reason = address === undefined ? 'reserved' : (forbiddenReason(address) ?? ownReason(canonical, rules));
  if (reason === undefined) return canonical;
  throw new AppError('denied', `${authorityOf(target)} leads to ${canonical}, which is ${reason}.`, {
    details: {
      hint: 'Sandboxes reach the public internet only; an operator can except one address with egress.allowPrivate.',
    },
  });
}

function ownReason(canonical: string, rules: AddressRules): string | undefined {
  const own = (rules.ownAddresses ?? hostAddresses)().map((text) => {
    const address = parseAddress(text.replace(/%.*$/, ''));
    return address === undefined ? text : formatAddress(address);
  });
  return own.includes(canonical) ? 'an address of this host' : undefined;
}

const unresolved = (host: string, cause?: unknown): AppError =>
  new AppError('unavailable', `The name ${host} cannot be resolved.`, { cause });

/** Connects to the first of these addresses that answers. Throws `unavailable`. */
export async function dialAddresses(addresses: readonly string[], port: number, timeoutMs: number): Promise<Socket> {
  let last: unknown;
  for (const address of addresses.slice(0, 4)) {
    try {
      return await dialOne(address, port, timeoutMs);
    } catch (error) {
      last = error;
    }
  }
  throw new AppError('unavailable', 'The host does not answer.', { cause: last });
}

/** Connects to one host. */
export function dialOne(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, autoSelectFamily: false });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => fail(new Error('no answer in time')));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
