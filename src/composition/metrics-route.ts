import { type Route, route } from '#src/http/route.ts';
import { METRICS_CONTENT_TYPE, type Metrics } from '#src/telemetry/metrics.ts';

/** `GET /metrics`: for whom policy lets read them; each scrape is an entry of the audit log. */
export function metricsRoute(metrics: Metrics): Route {
  return route({
    method: 'GET',
    path: '/metrics',
    action: 'metrics.read',
    resource: 'sandbox',
    summary: 'Metrics of the control plane in the Prometheus text format',
    response: 'stream',
    handle: async ({ cross, raw }) => {
      await cross({
        object: { kind: 'metrics', id: 'control-plane' },
        ask: async () => [
          { action: 'metrics.read', resource: 'sandbox', object: { type: 'metrics', id: 'control-plane', labels: [] } },
        ],
        act: async () => undefined,
      });
      const body = await metrics.render();
      raw.response.writeHead(200, {
        'content-type': METRICS_CONTENT_TYPE,
        'content-length': Buffer.byteLength(body),
      });
      raw.response.end(body);
      return undefined;
    },
  });
}
