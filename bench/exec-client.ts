/** The exec stream of the API, without the start of a command line around it. */

import { PassThrough } from 'node:stream';
import { WebSocket } from 'ws';
import { openChannel } from '#src/http/exec-stream.ts';

/** Runs a command in a sandbox; resolves with its output when it has ended. Throws when it fails. */
export async function execIn(
  server: { url: string; token: string },
  sandbox: string,
  path: 'exec' | 'python',
  start: Record<string, unknown>,
): Promise<string> {
  const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/api/v1/sandboxes/${sandbox}/${path}`, {
    headers: { authorization: `Bearer ${server.token}` },
    perMessageDeflate: false,
  });
  const channel = openChannel(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const out = new PassThrough();
  let text = '';
  out.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    channel.onControl((message) => {
      if (message.type === 'exit') resolve(message.result.exitCode);
      if (message.type === 'started') channel.control({ type: 'eof', stream: 'stdin' });
      if (message.type === 'error') reject(new Error(message.error.message));
    });
    channel.receive('stdout', out);
    channel.receive('stderr', new PassThrough().resume());
    channel.control({ type: 'start', start });
  });
  socket.close();
  if (exitCode !== 0) throw new Error(`the command ended with ${exitCode}`);
  return text;
}
