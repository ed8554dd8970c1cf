import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Question } from '#src/policies/decision.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { selectSandbox, selectSandboxByName } from './sandbox-store.ts';

/** The sandbox that a user means: an id, or the name of one of their own. Throws `not_found`. */
export async function findSandbox(reader: Reader, identity: Identity, ref: string): Promise<Sandbox> {
  const found = (await selectSandbox(reader, ref)) ?? (await selectSandboxByName(reader, identity.user, ref));
  if (found === undefined)
    throw new AppError('not_found', `There is no sandbox "${ref}".`, {
      details: { hint: 'See "fumehood sandbox list".' },
    });
  return found;
}

/** The usual question about a sandbox that exists: its owner and its labels are part of it. */
export async function questionAbout(
  deps: Pick<SandboxDeps, 'labelsOf'>,
  reader: Reader,
  action: string,
  sandbox: Sandbox,
): Promise<Question> {
  const labels = await deps.labelsOf(reader, [{ kind: 'sandbox', id: sandbox.id }]);
  return {
    action,
    resource: 'sandbox',
    object: {
      type: 'sandbox',
      id: sandbox.id,
      name: sandbox.name,
      owner: sandbox.owner,
      purpose: sandbox.spec.purpose,
      labels,
    },
  };
}

/** The running sandbox behind a stored one. Throws `conflict` when it does not run. */
export function liveOrRefuse(deps: Pick<SandboxDeps, 'live'>, sandbox: Sandbox): LiveSandbox {
  const live = deps.live.get(sandbox.id);
  if (live === undefined) {
    throw new AppError('conflict', `Sandbox ${sandbox.id} is ${sandbox.state}: ${sandbox.reason}.`, {
      details: { hint: 'Only a running sandbox can do that; make a new one with "fumehood sandbox create".' },
    });
  }
  return live;
}
