import { PassThrough } from 'node:stream';
import { WebSocket } from 'ws';
import { openChannel } from '#src/http/exec-stream.ts';

/** Runs a command in a sandbox over the API; true once its end with exit code 0 was told. */
export async function runIn(at: { url: string; token: string; sandbox: string }, argv: string[]): Promise<boolean> {
  const socket = new WebSocket(`${at.url.replace(/^http/, 'ws')}/api/v1/sandboxes/${at.sandbox}/exec`, {
    headers: { authorization: `Bearer ${at.token}` },
    perMessageDeflate: false,
  });
  const channel = openChannel(socket);
  const ended = new Promise<boolean>((resolve) => {
    channel.onControl((message) => {
      if (message.type === 'started') channel.control({ type: 'eof', stream: 'stdin' });
      if (message.type === 'exit') resolve(message.result.exitCode === 0);
      if (message.type === 'error') resolve(false);
    });
    socket.once('error', () => resolve(false));
    void channel.closed.then(() => resolve(false));
  });
  for (const stream of ['stdout', 'stderr'] as const) channel.receive(stream, new PassThrough().resume());
  socket.once('open', () => channel.control({ type: 'start', start: { argv } }));
  const ok = await ended;
  channel.close();
  return ok;
}
