/** A way to PostgreSQL that can be cut at a COMMIT: before the server has it, or after it has it and before the client hears of it. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** `gone`: before the server has it, and no connection is made any more until `reopen`. */
export type Cut = 'before' | 'after' | 'gone';

export type CuttingProxy = { url: string; cutAt(next: Cut): void; reopen(): void; close(): Promise<void> };

/** A simple query message of the wire protocol (protocol-message-formats, "Query"). */
const COMMIT = Buffer.from('commit\0');

export async function startCuttingProxy(url: string): Promise<CuttingProxy> {
  const target = new URL(url);
  let cut: Cut | undefined;
  let gone = false;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (gone) return void client.destroy();
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let silent = false;
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (cut === undefined || !bytes.includes(COMMIT)) return void upstream.write(bytes);
      const how = cut;
      cut = undefined;
      gone = how === 'gone';
      if (how !== 'after') return void client.destroy();
      silent = true;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (silent) return void client.destroy();
      client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.toString(),
    cutAt: (next) => {
      cut = next;
    },
    reopen: () => {
      gone = false;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
