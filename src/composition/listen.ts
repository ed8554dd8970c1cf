import type { Clock } from '#kernel/clock.ts';
import type { Log } from '#kernel/log.ts';
import type { Config } from '#src/config/load-config.ts';
import type { Api } from '#src/http/server.ts';
import { type CertificateFiles, readCertificate, watchCertificate } from './certificate.ts';
import type { Doors } from './doors.ts';
import type { Ending } from './ending.ts';

/** Serves the API and the doors for people, where the configuration says; gives their addresses. */
export async function listen(
  api: Api,
  doors: Doors,
  config: Config,
  deps: { clock: Clock; log: Log; ending: Ending },
): Promise<{ url: string; doors: Record<string, string> }> {
  const { settings } = config;
  const { host, port } = parseListen(settings.listen);
  const files = certificateFiles(settings);
  const { nowMs } = deps.clock;
  const tls = files === undefined ? undefined : readCertificate(files, nowMs());
  const served = await api.listen({ host, port, hosts: settings.hosts, ...(tls === undefined ? {} : { tls }) });
  if (files !== undefined)
    deps.ending.add(watchCertificate(files, { nowMs, log: deps.log, use: (renewed) => api.renewTls(renewed) }));
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

function certificateFiles(settings: Config['settings']): CertificateFiles | undefined {
  const { 'tls.cert': cert, 'tls.key': key, 'apps.domain': appsDomain } = settings;
  return cert === undefined || key === undefined ? undefined : { cert, key, appsDomain };
}

function parseListen(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
