import type { Clock } from '#kernel/clock.ts';
import { type AppError, toAppError } from '#kernel/errors.ts';
import type { Log } from '#kernel/log.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Door, Exchange } from '#src/gateway/door.ts';
import { closeUnread } from '#src/gateway/unread-body.ts';
import type { AccessKeys } from '#src/objects/access-keys.ts';
import type { Objects } from '#src/objects/create-objects.ts';
import { authenticate } from './authenticate.ts';
import { errorXml, isWireError, s3CodeOf, wireError } from './s3-error.ts';
import { readRequest, type S3Request } from './s3-request.ts';
import { type Call, chooseRoute, type S3Route } from './s3-route.ts';
import { S3_ROUTES } from './s3-routes.ts';
import { createSigningKeys } from './signing-keys.ts';

export type S3DoorDeps = {
  gateway: Pick<Gateway, 'refuse'>;
  objects: Objects;
  /** Who a sandbox's connection is. */
  identify: (exchange: Exchange) => Promise<Identity>;
  accessKeys: Pick<AccessKeys, 'find'>;
  clock: Clock;
  log: Log;
};

const DOOR = 's3';

/** What is known of a request while it is served, for the entry of its refusal. */
type Known = { request?: S3Request; route?: S3Route; identity?: Identity };

/** The S3 door: REST as in the Amazon S3 API reference, path style and `BUCKET.localhost`. */
export function createS3Door(deps: S3DoorDeps): Door {
  const serving = { ...deps, signingKey: createSigningKeys() };
  return {
    id: DOOR,
    port: 9000,
    routes: S3_ROUTES,
    handle: async (exchange) => {
      const known: Known = {};
      try {
        await serve(serving, exchange, known);
      } catch (thrown) {
        await answerError(deps, exchange, known, toAppError(thrown));
      }
    },
  };
}

async function serve(
  deps: Parameters<typeof authenticate>[0] & S3DoorDeps,
  exchange: Exchange,
  known: Known,
): Promise<void> {
  const { request: message, response, requestId } = exchange;
  response.setHeader('x-amz-request-id', requestId);
  const request = readRequest(message);
  known.request = request;
  const { identity, readOnly, signing } = await authenticate(deps, exchange, request);
  known.identity = identity;
  const route = chooseRoute(S3_ROUTES, request);
  known.route = route;
  exchange.route = route.path;
  if (readOnly && !route.reads) throw wireError('AccessDenied', 'This access key may only read.');
  const call: Call = {
    objects: deps.objects,
    request,
    caller: { identity, door: DOOR, requestId },
    message,
    response,
    signing,
    hold: exchange.hold,
    xml: (text) => {
      response.setHeader('content-type', 'application/xml');
      response.setHeader('content-length', Buffer.byteLength(text));
      response.end(text);
    },
    empty: (status) => {
      response.statusCode = status;
      if (status !== 204) response.setHeader('content-length', 0);
      response.end();
    },
  };
  await route.run(call);
}

async function answerError(deps: S3DoorDeps, exchange: Exchange, known: Known, error: AppError): Promise<void> {
  const { request: message, response, requestId } = exchange;
  let shown = error;
  if (error.code === 'internal' || error.code === 'integrity') {
    deps.log('error', 's3 request failed', { requestId, error: error.cause ?? error });
  }
  if (isWireError(error) || (known.identity === undefined && error.code !== 'internal')) {
    shown = await refuse(deps, requestId, known, error);
  }
  if (response.headersSent || response.destroyed) {
    // The client must not take a part for the whole.
    response.destroy();
    return;
  }
  const { status } = s3CodeOf(shown);
  for (const name of response.getHeaderNames()) if (name !== 'x-amz-request-id') response.removeHeader(name);
  response.statusCode = status;
  closeUnread(exchange.request, response);
  if (status === 304) {
    const { etag, modifiedMs } = shown.details;
    if (typeof etag === 'string') response.setHeader('etag', `"${etag}"`);
    if (typeof modifiedMs === 'number') response.setHeader('last-modified', new Date(modifiedMs).toUTCString());
    response.end();
    return;
  }
  const { sizeBytes } = shown.details;
  if (status === 416 && typeof sizeBytes === 'number') response.setHeader('content-range', `bytes */${sizeBytes}`);
  const text = errorXml(shown, { resource: (message.url ?? '/').split('?')[0] ?? '/', requestId });
  response.setHeader('content-type', 'application/xml');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(message.method === 'HEAD' ? undefined : text);
}

/** Audits a refusal that no use case saw. When even that cannot be written, the answer is that nothing can be served. */
async function refuse(deps: S3DoorDeps, requestId: string, known: Known, error: AppError): Promise<AppError> {
  const place = known.request === undefined ? '' : `${known.request.bucket}/${known.request.key}`;
  try {
    await deps.gateway.refuse({
      ...(known.identity === undefined ? {} : { identity: known.identity }),
      door: DOOR,
      requestId,
      action: known.route?.action ?? 'object.unknown',
      object: { kind: 'object', id: place, name: place },
      error,
    });
    return error;
  } catch (thrown) {
    return toAppError(thrown);
  }
}
