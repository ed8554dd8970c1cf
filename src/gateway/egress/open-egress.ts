/** The decision about one connection to the outside, and the entry that ends it. */
import { AppError, toAppError } from '#kernel/errors.ts';
import { type CrossingRequest, type Identity, question } from '#src/gateway/crossing.ts';
import { authorityOf, parseHost, type Target } from './authority.ts';
import { resolveOnHost, resolveTarget } from './dial.ts';
import type { EgressDeps } from './egress-deps.ts';

export type EgressRequest = { identity: Identity; requestId: string; target: Target; how: 'connect' | 'http' };

const DOOR = 'egress';
const INNER_NAMES = /(^[^.]+|\.(internal|local|localhost|localdomain|lan|home\.arpa))$/;

const isGranted = (deps: EgressDeps, { identity, target }: EgressRequest): boolean =>
  deps.grantsOf(identity.id).some((grant) => grant.port === target.port && sameHost(grant.host, target.host));

function sameHost(granted: string, host: string): boolean {
  try {
    return parseHost(granted).host === host;
  } catch {
    return false;
  }
}

/**
 * Asks policy, resolves once, and audits; gives the addresses to dial (none: the upstream proxy resolves). Throws `denied`, `unavailable`.
 * Policy speaks before the name is resolved: a question to the DNS carries data out by itself.
 */
export async function openEgress(deps: EgressDeps, request: EgressRequest): Promise<string[]> {
  const { identity, requestId, target } = request;
  const id = authorityOf(target);
  const node = { kind: 'egress' as const, id, name: id };
  const granted = isGranted(deps, request);
  const crossing: Omit<CrossingRequest<unknown>, 'act'> = {
    identity,
    door: DOOR,
    requestId,
    action: 'egress.connect',
    object: node,
    ask: async () => [
      question('egress.connect', 'egress', {
        type: 'egress',
        id,
        name: id,
        host: target.host,
        port: target.port,
        granted,
        labels: [],
      }),
    ],
  };
  await deps.gateway.check(crossing);
  const found = granted ? await findAddresses(deps, target) : { refusal: notGranted(id) };
  return deps.gateway.cross({
    ...crossing,
    act: async (_tx, open) => {
      open.detail('how', request.how);
      if ('refusal' in found) {
        open.detail('reason', found.refusal.message);
        throw found.refusal;
      }
      open.detail('addresses', found.addresses.join(' '));
      await open.reads(node, 'used');
      await open.writes(node, 'reached');
      return found.addresses;
    },
  });
}

async function findAddresses(
  deps: EgressDeps,
  target: Target,
): Promise<{ addresses: string[] } | { refusal: AppError }> {
  const { allowPrivate = [], upstreamProxy } = deps.config ?? {};
  const { ownAddresses } = deps;
  const rules = { allowPrivate, ...(ownAddresses === undefined ? {} : { ownAddresses }) };
  try {
    return { addresses: await resolveTarget(target, deps.resolve ?? resolveOnHost, rules) };
  } catch (thrown) {
    const refusal = toAppError(thrown);
    // Behind a proxy the host may have no DNS for the outside; names of inner networks are still refused.
    const leaveToProxy = upstreamProxy !== undefined && refusal.code === 'unavailable';
    return leaveToProxy && !INNER_NAMES.test(target.host) ? { addresses: [] } : { refusal };
  }
}

const notGranted = (id: string): AppError =>
  new AppError('denied', `This sandbox was not granted ${id}.`, {
    details: { hint: `Create it with "--egress ${id}".` },
  });

/** The entry that ends a connection: how much went each way, and why it ended. */
export async function closeEgress(
  deps: EgressDeps,
  request: EgressRequest,
  end: { bytesOut: number; bytesIn: number; startedMs: number; reason: string; outcome: 'ok' | 'denied' | 'failed' },
): Promise<void> {
  const id = authorityOf(request.target);
  await deps.gateway.system({
    action: 'egress.close',
    object: { kind: 'egress', id, name: id },
    requestId: request.requestId,
    outcome: end.outcome,
    details: {
      sandbox: request.identity.id,
      bytesOut: end.bytesOut,
      bytesIn: end.bytesIn,
      durationMs: deps.clock.nowMs() - end.startedMs,
      reason: end.reason,
    },
    act: async () => undefined,
  });
}
