import { AppError } from '#kernel/errors.ts';
import type { Command, Context } from '../command.ts';
import { lockHome, lockOwner } from '../control-lock.ts';
import { readControl } from '../home.ts';
import { keepHeapTight } from '../keep-heap-tight.ts';
import { leaveNoCore } from '../leave-no-core.ts';
import { VERSION } from '../version.ts';

/** `fumehood up`. */
export const up: readonly Command[] = [
  {
    verb: '',
    summary: 'Start the control plane',
    example: 'fumehood up --detach',
    details:
      'In the foreground until it is interrupted, or with --detach in the background. Sandboxes outlive it; "down" ends them.',
    flags: [
      { name: 'detach', short: 'd', help: 'go to the background once it is healthy' },
      {
        name: 'new-operator-token',
        help: "where operator.token was lost: a new one; the operator's earlier tokens end",
      },
      { name: 'listen', value: 'HOST:PORT', help: 'where to serve the API (else the configuration says)' },
    ],
    run: (context) => (context.on('detach') ? startDetached(context) : runForeground(context)),
  },
];

async function runForeground(context: Context): Promise<number> {
  leaveNoCore();
  const { loadConfig } = await import('#src/config/load-config.ts');
  const listen = context.text('listen');
  const flags = listen === undefined ? {} : { listen };
  const config = loadConfig({ home: context.home, flags, env: context.env, cwd: process.cwd() });
  const lock = lockHome(context.home);
  let sandboxesLeft: number | undefined;
  try {
    const { upgradeLocked } = await import('../upgrade-home.ts');
    const upgraded = await upgradeLocked(context);
    if (upgraded?.backup) context.out.note(`the store was upgraded; that of before is in ${upgraded.backup}`);
    const { startControlPlane } = await import('#src/main.ts');
    const plane = await startControlPlane(config, { newOperatorToken: context.on('new-operator-token') });
    const control = { pid: process.pid, url: plane.url, version: VERSION, startedAt: new Date().toISOString() };
    keepHeapTight();
    lock.announce(control);
    context.out.item(control);
    const signal = await stopSignal();
    context.out.note(`stopping (${signal}); sandboxes go on, and the next "fumehood up" finds them`);
    await plane.close();
    sandboxesLeft = plane.sandboxes();
    return signal === 'SIGINT' ? 130 : 0;
  } finally {
    lock.release(sandboxesLeft);
  }
}

function stopSignal(): Promise<string> {
  process.removeAllListeners('SIGINT');
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

async function startDetached(context: Context): Promise<undefined> {
  const running = lockOwner(context.home);
  if (running !== undefined && readControl(context.home)?.pid === running) {
    context.out.note('it runs already');
    context.out.item({ ...readControl(context.home) });
    return undefined;
  }
  const { detach } = await import('../detach.ts');
  const listen = context.text('listen');
  const end = context.out.phase('Starting the control plane');
  try {
    const control = await detach({
      home: context.home,
      env: context.env,
      words: [
        ...(listen === undefined ? [] : ['--listen', listen]),
        ...(context.on('new-operator-token') ? ['--new-operator-token'] : []),
      ],
    });
    end('healthy');
    context.out.item(control);
    context.out.next('fumehood sandbox create --name first', 'fumehood status');
  } catch (error) {
    end('failed');
    throw error instanceof AppError
      ? error
      : new AppError('unavailable', 'The control plane did not start.', { cause: error });
  }
  return undefined;
}
