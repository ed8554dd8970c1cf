import { readFileSync } from 'node:fs';
import type { Config } from '#src/config/load-config.ts';
import type { Api } from '#src/http/server.ts';
import type { Doors } from './doors.ts';

/** Serves the API and the doors for people, where the configuration says; gives their addresses. */
export async function listen(
  api: Api,
  doors: Doors,
  config: Config,
): Promise<{ url: string; doors: Record<string, string> }> {
  const { settings } = config;
  const { host, port } = parseListen(settings.listen);
  const { 'tls.cert': cert, 'tls.key': key } = settings;
  const tls =
    cert === undefined || key === undefined ? undefined : { cert: readFileSync(cert), key: readFileSync(key) };
  const served = await api.listen({ host, port, hosts: settings.hosts, ...(tls === undefined ? {} : { tls }) });
  const addresses: Record<string, string> = {};
  // Without TLS of their own the doors for people stay on loopback, where the API may be alone on the network.
  if (settings['doors.public']) {
    let offset = 0;
    for (const door of ['mlflow', 's3', 'vault']) {
      offset += 1;
      const opened = await doors.listeners.openExternal({
        door,
        host: '127.0.0.1',
        port: port === 0 ? 0 : served.port + offset,
      });
      addresses[door] = `http://127.0.0.1:${opened.port}`;
    }
  }
  return { url: served.url, doors: addresses };
}

function parseListen(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
