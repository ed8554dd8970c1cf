import type { Exec, ExecResult } from '#src/drivers/driver.ts';
import type { ExecChannel } from './exec-stream.ts';

const GRACE_MS = 2000;

/**
 * Joins a running command to a channel: streams both ways with back-pressure, signals and sizes forwarded, the result as the last frame.
 * When the client goes away the command is hung up, and killed two seconds later.
 */
export async function serveExec(channel: ExecChannel, exec: Exec): Promise<ExecResult | undefined> {
  channel.onControl((message) => {
    if (message.type === 'signal') exec.signal(message.name.replace(/^SIG/, ''));
    else if (message.type === 'resize') exec.resize({ rows: message.rows, cols: message.cols });
  });
  channel.control({ type: 'started' });
  channel.receive('stdin', exec.stdin);
  const sent = Promise.allSettled([channel.send('stdout', exec.stdout), channel.send('stderr', exec.stderr)]);
  const ended = await Promise.race([exec.result, channel.closed.then(() => undefined)]);
  if (ended === undefined) {
    await abandon(exec);
    return undefined;
  }
  await Promise.race([sent, channel.closed]);
  channel.control({ type: 'exit', result: ended });
  return ended;
}

async function abandon(exec: Exec): Promise<void> {
  exec.stdout.resume();
  exec.stderr.resume();
  exec.signal('HUP');
  const timer = setTimeout(() => exec.signal('KILL'), GRACE_MS);
  await exec.result.catch(() => undefined);
  clearTimeout(timer);
}
