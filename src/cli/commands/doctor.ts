import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Check, Driver } from '#src/drivers/driver.ts';
import type { Command, Context } from '../command.ts';

const SYMBOLS: Record<Check['state'], string> = { ok: '✓', missing: '✗', degraded: '!', unknown: '?' };

/** `fumehood doctor`. */
export const doctor: readonly Command[] = [
  {
    verb: '',
    summary: 'Check what this host can enforce, and how to mend what it cannot',
    example: 'fumehood doctor',
    details:
      'Needs no control plane. Ends with 0 when sandboxes can run here, else with 1; with --escape, when no attack got through.',
    flags: [
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
      const driver = await openDriver(context);
      const probe = await driver.probe();
      const { hostChecks } = await import('../host-checks.ts');
      const checks = [...probe.checks, ...(await hostChecks(context))];
      const usable = probe.usable && checks.every((check) => !check.required || check.state === 'ok');
      const { capabilities, runtimes } = probe;
      context.out.text(render(checks, usable), { usable, driver: driver.id, capabilities, runtimes, checks });
      return usable ? 0 : 1;
    },
  },
];

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
    config: {},
  });
}

function render(checks: readonly Check[], usable: boolean): string {
  const width = Math.max(...checks.map((check) => check.title.length));
  const lines = checks.map((check) => {
    const head = `${SYMBOLS[check.state]} ${check.state.padEnd(8)}  ${check.title.padEnd(width)}  ${check.found}\n`;
    const consequence = check.consequence === '' ? '' : `    so: ${check.consequence}\n`;
    return head + consequence + (check.fix === '' ? '' : `    mend: ${check.fix}\n`);
  });
  return `${lines.join('')}\n${usable ? 'Sandboxes can run here.' : 'Sandboxes cannot run here: mend what is missing above.'}\n`;
}
