import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { dialAhead, dialPath } from './wire.ts';

describe('a way to an agent that is opened before it is needed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-wire-'));
  const path = join(folder, 'agent.sock');
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  before(() => once(server.listen(path), 'listening'));
  after(async () => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const counted = (to = path) => {
    const sockets: Socket[] = [];
    const ahead = dialAhead(() => {
      const socket = dialPath(to)();
      sockets.push(socket);
      return socket;
    });
    return { ...ahead, sockets };
  };
  const echo = async (socket: Socket): Promise<void> => {
    socket.write('hello');
    assert.equal(String((await once(socket, 'data'))[0]), 'hello');
    socket.destroy();
  };

  it('carries the first request, however often it was asked for; the next one gets its own', async () => {
    const { dial, approach, sockets } = counted();
    approach();
    approach();
    assert.equal(sockets.length, 1);
    await echo(dial());
    assert.equal(sockets.length, 1);
    await echo(dial());
    assert.equal(sockets.length, 2);
  });

  it('is opened anew when it was lost meanwhile', async () => {
    const { dial, approach, sockets } = counted();
    approach();
    sockets[0]?.destroy();
    await echo(dial());
    assert.equal(sockets.length, 2);
  });

  it('that cannot be opened ends nothing, and the request is told', async () => {
    const { dial, approach, sockets } = counted(join(folder, 'nobody.sock'));
    approach();
    await new Promise((resolve) => sockets[0]?.once('close', resolve));
    await assert.rejects(once(dial(), 'connect'), { code: 'ENOENT' });
    assert.equal(sockets.length, 2);
  });

  it('is closed when it is left unused, and can be left more than once', async () => {
    const { approach, leave, sockets } = counted();
    approach();
    leave();
    leave();
    assert.deepEqual(
      sockets.map((socket) => socket.destroyed),
      [true],
    );
  });
});
