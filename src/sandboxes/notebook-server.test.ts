import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { Session } from '#src/drivers/driver.ts';
import { lastKernelWork } from './notebook-server.ts';

const NOW_MS = Date.parse('2026-01-01T12:00:00Z');
const started: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of started.splice(0)) one.close();
});

/** A session whose port 8888 is a server of this host. */
const sessionTo = (port: number): Session =>
  ({
    connectPort: (asked: number) =>
      new Promise((resolve, reject) => {
        assert.equal(asked, 8888);
        const socket = connect(port, '127.0.0.1', () => resolve(socket));
        socket.once('error', reject);
      }),
  }) as unknown as Session;

async function answering(body: string, status = 200): Promise<Session> {
  const server = createServer((request, response) => {
    assert.equal(request.url, '/api/kernels');
    response.writeHead(status);
    response.end(body);
  });
  return sessionTo(await listening(server));
}

function listening(server: Server): Promise<number> {
  started.push(server);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

const kernel = (execution_state: string, last_activity: string) => ({ id: 'k', execution_state, last_activity });
const json = JSON.stringify;

describe('the last work of kernels', () => {
  it('is now while one is busy, else when one last did something', async () => {
    const busy = [kernel('idle', '2026-01-01T10:00:00Z'), kernel('busy', '2026-01-01T10:00:00Z')];
    assert.equal(await lastKernelWork(await answering(json(busy)), NOW_MS), NOW_MS);
    const idle = [kernel('idle', '2026-01-01T10:00:00Z'), kernel('idle', '2026-01-01T11:00:00.123456Z')];
    assert.equal(await lastKernelWork(await answering(json(idle)), NOW_MS), Date.parse('2026-01-01T11:00:00.123Z'));
  });

  it('is unknown without a kernel, without a server, and when the server does not know either', async () => {
    assert.equal(await lastKernelWork(await answering('[]'), NOW_MS), undefined);
    assert.equal(await lastKernelWork(await answering(json([kernel('busy', '')]), 500), NOW_MS), undefined);
    assert.equal(await lastKernelWork(sessionTo(1), NOW_MS), undefined);
  });

  it('is never in the future, and of nonsense nothing is believed', async () => {
    const ahead = json([kernel('idle', '2999-01-01T00:00:00Z')]);
    assert.equal(await lastKernelWork(await answering(ahead), NOW_MS), NOW_MS);
    for (const body of ['', '{', '{"execution_state":"busy"}', '[1]', json([kernel('idle', 'yesterday')])])
      assert.equal(await lastKernelWork(await answering(body), NOW_MS), undefined, body);
  });

  it('an answer without end is cut off, and so is a server that speaks no HTTP', async () => {
    const endless = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n\r\n[');
      const more = setInterval(() => socket.write('"x",'.repeat(50_000)), 1);
      socket.once('close', () => clearInterval(more));
    });
    assert.equal(await lastKernelWork(sessionTo(await listening(endless)), NOW_MS), undefined);
    const rude = createTcpServer((socket) => void socket.end('\0\0\0\r\n\r\n'));
    assert.equal(await lastKernelWork(sessionTo(await listening(rude)), NOW_MS), undefined);
  });
});
