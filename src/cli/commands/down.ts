import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '#kernel/errors.ts';
import { removeCgroup } from '#src/drivers/oci/cgroups.ts';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import { at } from '../api-client.ts';
import type { Command, Context } from '../command.ts';
import { LEFT_FILE } from '../control-lock.ts';
import { isAlive, readControl } from '../home.ts';

type Sandbox = { id: string; name: string; state: string };
type Remain = { kind: string; what: string };

const STOP_TIMEOUT_MS = 60_000;

/** `fumehood down`. */
export const down: readonly Command[] = [
  {
    verb: '',
    summary: 'Delete every sandbox, prove that nothing of them remains, and stop the control plane',
    example: 'fumehood down --dry-run',
    flags: [{ name: 'dry-run', help: 'say what would be done, and do nothing' }],
    run: async (context) => {
      const control = await findRunning(context);
      if (control === undefined) {
        context.out.text(`nothing runs in ${context.home}`, { running: false, deleted: [], remains: [] });
        return 0;
      }
      const sandboxes = await everySandbox(context);
      const names = sandboxes.map((one) => one.name || one.id);
      if (context.on('dry-run')) {
        const text = [...names.map((name) => `would delete sandbox ${name}`), `would stop process ${control.pid}`].join(
          '\n',
        );
        context.out.text(text, { dryRun: true, pid: control.pid, sandboxes });
        return 0;
      }
      if (sandboxes.length > 0)
        await context.confirm(`Delete ${sandboxes.length} sandbox(es) (${names.join(', ')}) and stop?`);
      const remains = await deleteAll(context, sandboxes);
      await stop(control.pid);
      // The folder of control groups that the home keeps between sandboxes: the next start makes it anew.
      if (remains.length === 0) removeCgroup(pathsOf(join(context.home, 'driver')).cgroupParent);
      const result = { running: false, stopped: control.pid, deleted: sandboxes.map((one) => one.id), remains };
      context.out.text(describe(sandboxes, remains), result);
      return remains.length === 0 ? 0 : 1;
    },
  },
];

/** The control plane of this home; where it ended with sandboxes left, it is started once more to end them. */
async function findRunning(context: Context) {
  const running = readControl(context.home);
  if (running !== undefined) return running;
  const died = existsSync(join(context.home, 'control.lock'));
  if (!died && !existsSync(join(context.home, LEFT_FILE))) return undefined;
  context.out.note(`the control plane ${died ? 'died' : 'is stopped'}; starting it once more to end what it left`);
  const { detach } = await import('../detach.ts');
  return detach({ home: context.home, env: context.env, words: ['--listen', '127.0.0.1:0'] });
}

async function everySandbox(context: Context): Promise<Sandbox[]> {
  const found: Sandbox[] = [];
  let cursor: string | undefined;
  do {
    const page = await context.api.send<{ items: Sandbox[]; next: string | null }>('GET', at('sandboxes'), {
      query: { mine: false, limit: 1000, cursor },
    });
    found.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return found;
}

async function deleteAll(context: Context, sandboxes: Sandbox[]): Promise<Remain[]> {
  const remains: Remain[] = [];
  for (const one of sandboxes) {
    const end = context.out.phase(`Deleting sandbox ${one.name || one.id}`);
    const removed = await context.api
      .send<{ remains: Remain[] }>('DELETE', at('sandboxes', one.id))
      .catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'not_found') return { remains: [] };
        end('failed');
        throw error;
      });
    end(removed.remains.length === 0 ? 'gone' : `${removed.remains.length} things remain`);
    remains.push(...removed.remains);
  }
  return remains;
}

async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline)
      throw new AppError('timeout', `The control plane (process ${pid}) does not stop.`, {
        details: { hint: `Look at its log, then: kill -9 ${pid}` },
      });
    await sleep(20);
  }
}

function describe(sandboxes: Sandbox[], remains: Remain[]): string {
  const left = remains.map((one) => `  remains: ${one.kind} ${one.what}\n`).join('');
  const proof =
    remains.length === 0
      ? 'looked again: no process, mount, namespace, loop device, file or listener of them remains'
      : 'something remains:';
  return `stopped; ${sandboxes.length} sandbox(es) deleted\n${sandboxes.length === 0 ? '' : `${proof}\n`}${left}`;
}
