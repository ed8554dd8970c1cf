/** What a route of the Vault door gets to serve one request. */
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { DoorRoute, Peer } from '#src/gateway/door.ts';
import type { Secrets } from '#src/secrets/create-secrets.ts';
import type { ChildTokens, Narrowed } from './child-token.ts';
import type { Answer } from './envelope.ts';

/** A sandbox's own S3 key pair. */
export type IssuedAccessKey = { accessKeyId: string; secretAccessKey: string; endpoint: string; expiresAtMs: number };

export type VaultServices = {
  secrets: Secrets;
  tokens: ChildTokens;
  gateway: Pick<Gateway, 'cross' | 'check'>;
  issueAccessKey: (options: { sandboxId: string }) => Promise<IssuedAccessKey>;
  clock: Clock;
  /** Names this installation in `sys/health`. */
  clusterId: string;
  version: string;
};

export type VaultCall = {
  identity: Identity;
  peer: Peer;
  /** The token as it was sent, or an empty string. */
  token: string;
  narrowed: Narrowed;
  requestId: string;
  params: Record<string, string>;
  query: URLSearchParams;
  body: Record<string, unknown>;
};

/** One row: `open` routes tell nothing of anybody and are served without a token and without a crossing. */
export type VaultRoute = DoorRoute & {
  open?: true;
  mergePatch?: true;
  serve: (services: VaultServices, call: VaultCall) => Promise<Answer>;
};

/** Who calls, for a use case. */
export const callerOf = (call: VaultCall) => ({ identity: call.identity, door: 'vault', requestId: call.requestId });

/** A parameter of the path that the route declares. */
export function param(call: VaultCall, name: string): string {
  const value = call.params[name];
  if (value === undefined || value === '') throw new AppError('invalid', `missing ${name}`);
  return value;
}
