import type { Call, MlflowRoute } from './mlflow-route.ts';

/** The release of the protocol that is spoken here; clients compare it before they use what is newer. */
export const PROTOCOL_VERSION = '3.17.2';

const plain =
  (body: string) =>
  async ({ response }: Call): Promise<void> => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };

/** What tells nothing of anybody. */
export const OPEN_ROUTES: readonly MlflowRoute[] = [
  { method: 'GET', path: '/health', action: 'status.read', open: true, stream: plain('OK') },
  { method: 'GET', path: '/version', action: 'status.read', open: true, stream: plain(PROTOCOL_VERSION) },
  ...['/api/3.0/mlflow/server-info', '/ajax-api/3.0/mlflow/server-info'].map(
    (path): MlflowRoute => ({
      method: 'GET',
      path,
      action: 'status.read',
      open: true,
      serve: async () => ({
        store_type: 'SqlStore',
        workspaces_enabled: false,
        multipart_uploads_enabled: false,
        multipart_downloads_enabled: false,
      }),
    }),
  ),
];
