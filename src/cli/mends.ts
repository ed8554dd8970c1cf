/** What `doctor --fix` may do: each step is safe to repeat, asked about, and told. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Check } from '#src/drivers/driver.ts';
import type { Context } from './command.ts';
import { bury, deadHomes } from './dead-homes.ts';
import { keyFilesOpenToOthers } from './host-checks.ts';

export type Mend = { question: string; did: string; apply(): Promise<void> };

const ROOT = join(import.meta.dirname, '..', '..');

/** The steps that answer what was found; what only the machine's owner can decide (kernel, boot, swap) is left to its command. */
export function mendsFor(checks: readonly Check[], context: Pick<Context, 'home' | 'env'>): Mend[] {
  const bad = new Set(checks.filter((check) => check.state !== 'ok').map((check) => check.id));
  const packages = checks.filter(
    (check) => check.required && check.state === 'missing' && /^apt-get install|fumehood up$/.test(check.fix),
  );
  const mends: Mend[] = [];
  if (packages.length > 0)
    mends.push(
      setup('host', `Install the system packages for ${packages.map((one) => one.title).join(', ')}?`, context),
    );
  for (const tool of ['uv', 'opa'])
    if (bad.has(tool)) mends.push(setup(tool, `Install ${tool} into the cache of Fumehood?`, context));
  if (bad.has('home')) mends.push(closeHome(context.home));
  if (bad.has('keys')) mends.push(closeKeys(context.home));
  if (bad.has('dead-homes')) mends.push(...deadHomes().map(removeDead));
  return mends;
}

/** By the steps of the wrapper, which are those of every first start. */
function setup(what: string, question: string, { env }: Pick<Context, 'env'>): Mend {
  return {
    question,
    did: `installed ${what === 'host' ? 'the system packages' : what}`,
    apply: () =>
      new Promise((resolve, reject) => {
        const child = spawn(env.FUMEHOOD_COMMAND ?? join(ROOT, 'fumehood'), ['setup', what], {
          env,
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        child.once('error', reject);
        child.once('close', (code) =>
          code === 0 ? resolve() : reject(new AppError('unavailable', `${what} could not be installed; see above.`)),
        );
      }),
  };
}

const closeHome = (home: string): Mend => ({
  question: `Close ${home} to other users of this system?`,
  did: `closed ${home} to others`,
  apply: async () => {
    if (existsSync(home)) chmodSync(home, 0o700);
  },
});

/** Who could read a key may have read it: closing it is not enough, and the words say so. */
const closeKeys = (home: string): Mend => ({
  question: `Close the keys in ${join(home, 'keys')} to other users?`,
  did: 'closed the keys; whoever could read them may have them: think of "fumehood key rotate"',
  apply: async () => {
    for (const file of keyFilesOpenToOthers(home)) chmodSync(file, 0o600);
    if (readdirSync(join(home, 'keys')).length > 0) chmodSync(join(home, 'keys'), 0o700);
  },
});

const removeDead = (dead: ReturnType<typeof deadHomes>[number]): Mend => ({
  question: `End and remove what is left of the removed home of ${dead.stateDir}?`,
  did: `removed what was left of ${dead.stateDir}`,
  apply: async () => {
    const { ociDriver } = await import('#src/drivers/oci/oci-driver.ts');
    await bury(dead, ociDriver, join(ROOT, 'python'));
  },
});

/** Asks about each step and does it; gives what was done. A step that fails is told, and the others go on. */
export async function mend(mends: readonly Mend[], context: Pick<Context, 'confirm' | 'out'>): Promise<string[]> {
  const done: string[] = [];
  for (const one of mends) {
    try {
      await context.confirm(one.question);
    } catch (error) {
      if (error instanceof AppError && error.code === 'conflict') {
        context.out.note('left as it is');
        continue;
      }
      throw error;
    }
    const end = context.out.phase(one.question.replace(/\?$/, ''));
    try {
      await one.apply();
      end('done');
      done.push(one.did);
    } catch (error) {
      end(error instanceof Error ? `failed: ${error.message}` : 'failed');
    }
  }
  return done;
}
