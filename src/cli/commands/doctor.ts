import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Check, Driver } from '#src/drivers/driver.ts';
import type { Command, Context } from '../command.ts';
import { stateOf } from '../human-value.ts';

/** `fumehood doctor`. */
export const doctor: readonly Command[] = [
  {
    verb: '',
    summary: 'Check what this host can enforce, and how to mend what it cannot',
    example: 'fumehood doctor',
    details:
      'Needs no control plane. Ends with 0 when sandboxes can run here, else with 1; with --escape, when no attack got through.',
    flags: [
      { name: 'fix', help: 'mend what can be mended safely, asking before each step' },
      {
        name: 'bundle',
        value: 'FILE',
        help: 'write an archive (tar.gz) for a bug report: no secret, key, token or body',
      },
      {
        name: 'escape',
        help: 'attack sandboxes of a home of its own in every known way, and write a signed scorecard',
      },
      { name: 'runtime', value: 'NAME', help: 'with --escape: the OCI runtime to attack (else runc)' },
      { name: 'only', value: 'FAMILY', many: true, help: 'with --escape: only this family of attacks' },
      { name: 'out', value: 'FILE', help: 'with --escape: where to write the scorecard (else scorecard.json)' },
    ],
    run: async (context) => {
      if (context.on('escape')) return (await import('../escape-scorecard.ts')).runEscapeSuite(context);
      const stray = ['runtime', 'only', 'out'].find((flag) => context.text(flag) ?? context.many(flag)[0]);
      if (stray !== undefined)
        throw new AppError('invalid', `--${stray} is for attacks on sandboxes, which were not asked for.`, {
          details: { hint: 'Add --escape, or leave it out.' },
        });
      const first = await look(context);
      const mended = context.on('fix') ? await fix(context, first.checks) : [];
      const { checks, usable, ...found } = mended.length > 0 ? await look(context) : first;
      const told = mended.map((one) => `mended: ${one}\n`).join('');
      context.out.text(told + render(checks, usable, context.out.plain || context.out.terminal.unicode), {
        usable,
        ...found,
        checks,
        mended,
      });
      const file = context.text('bundle');
      if (file !== undefined) await bundle(context, file, checks);
      return usable ? 0 : 1;
    },
  },
];

async function look(context: Context) {
  const driver = await openDriver(context);
  const { usable: able, checks: ofDriver, capabilities, runtimes } = await driver.probe();
  const { hostChecks } = await import('../host-checks.ts');
  const checks = [...ofDriver, ...(await hostChecks(context))];
  const usable = able && checks.every((check) => !check.required || check.state === 'ok');
  return { usable, driver: driver.id, capabilities, runtimes, checks };
}

async function fix(context: Context, checks: readonly Check[]): Promise<string[]> {
  const { mend, mendsFor } = await import('../mends.ts');
  const mends = mendsFor(checks, context);
  if (mends.length === 0) context.out.note('nothing is to be mended that could be mended safely from here');
  return mend(mends, context);
}

async function bundle(context: Context, file: string, checks: readonly Check[]): Promise<void> {
  const { writeBundle } = await import('../write-bundle.ts');
  const names = await writeBundle(context, file, checks);
  context.out.note(`${file}: ${names.join(', ')}; look through it before you send it`);
}

async function openDriver(context: Context): Promise<Driver> {
  const [{ DRIVERS }, { loadConfig }] = await Promise.all([
    import('#src/drivers/catalog.ts'),
    import('#src/config/load-config.ts'),
  ]);
  const { settings } = loadConfig({ home: context.home, env: context.env, cwd: process.cwd() });
  const module = DRIVERS[settings['sandbox.driver']];
  if (module === undefined)
    throw new AppError('invalid', `There is no driver "${settings['sandbox.driver']}".`, {
      details: { hint: `The key sandbox.driver is one of ${Object.keys(DRIVERS).join(', ')}.` },
    });
  return module.create({
    stateDir: join(context.home, 'driver'),
    pythonDir: join(import.meta.dirname, '..', '..', '..', 'python'),
    log: () => undefined,
    nowMs: () => Date.now(),
    config: { gpus: settings['sandbox.gpus'] },
  });
}

function render(checks: readonly Check[], usable: boolean, unicode: boolean): string {
  const width = Math.max(...checks.map((check) => check.title.length));
  const lines = checks.map((check) => {
    const head = `${stateOf(check.state, unicode).text.padEnd(10)}  ${check.title.padEnd(width)}  ${check.found}\n`;
    const consequence = check.consequence === '' ? '' : `    so: ${check.consequence}\n`;
    return head + consequence + (check.fix === '' ? '' : `    mend: ${check.fix}\n`);
  });
  return `${lines.join('')}\n${usable ? 'Sandboxes can run here.' : 'Sandboxes cannot run here: mend what is missing above.'}\n`;
}
