/** The MLflow door: tracking, artifacts and registry in the REST forms that the `mlflow` client sends. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '#kernel/clock.ts';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Door, Exchange } from '#src/gateway/door.ts';
import { closeUnread } from '#src/gateway/unread-body.ts';
import type { ModelsDeps } from '#src/models/models-deps.ts';
import type { Objects } from '#src/objects/create-objects.ts';
import type { TrackingDeps } from '#src/tracking/tracking-deps.ts';
import { ARTIFACT_ROUTES } from './artifact-routes.ts';
import { EXPERIMENT_ROUTES } from './experiment-routes.ts';
import type { Input } from './input.ts';
import { LOGGED_MODEL_ROUTES } from './logged-model-routes.ts';
import { sendError, sendJson } from './mlflow-error.ts';
import type { Call, MlflowRoute, MlflowServices } from './mlflow-route.ts';
import { MODEL_ROUTES } from './model-routes.ts';
import { OPEN_ROUTES } from './open-routes.ts';
import { createRouteTable } from './route-table.ts';
import { RUN_ROUTES } from './run-routes.ts';
import { VERSION_ROUTES } from './version-routes.ts';

export type MlflowDoorDeps = {
  gateway: Pick<Gateway, 'cross' | 'refuse'>;
  objects: Objects;
  lineage: TrackingDeps['lineage'];
  resolveSource: ModelsDeps['resolveSource'];
  /** Who is at the other end; in a sandbox the credential is not looked at. Throws `unauthenticated`. */
  identify: (exchange: Exchange, credential?: string) => Promise<Identity>;
  clock: Clock;
  ids: Ids;
  log: Log;
  version: string;
};

const DOOR = 'mlflow';
const LARGEST_JSON_BYTES = 16 * 1024 * 1024;

export const MLFLOW_ROUTES: readonly MlflowRoute[] = [
  ...RUN_ROUTES,
  ...EXPERIMENT_ROUTES,
  ...LOGGED_MODEL_ROUTES,
  ...MODEL_ROUTES,
  ...VERSION_ROUTES,
  ...ARTIFACT_ROUTES,
  ...OPEN_ROUTES,
];

/** Builds the door. Requests that never came to a crossing are refused with an entry of their own. */
export function createMlflowDoor(deps: MlflowDoorDeps): Door {
  const table = createRouteTable(MLFLOW_ROUTES);
  return {
    id: DOOR,
    port: 5000,
    routes: MLFLOW_ROUTES.map(({ method, path, action }) => ({ method, path, action })),
    handle: async (exchange) => {
      const { response, requestId } = exchange;
      const known: Known = { action: 'mlflow.request', crossed: false };
      try {
        await serve(deps, table, exchange, known);
      } catch (thrown) {
        const error = await audited(deps, exchange, known, toAppError(thrown));
        if (error.code === 'internal' || error.code === 'integrity')
          deps.log('error', 'the MLflow door failed', { requestId, error: error.cause ?? error });
        if (response.headersSent || response.destroyed) return void response.destroy();
        closeUnread(exchange.request, response);
        sendError(response, error, requestId);
      }
    },
  };
}

/** What is known of a request while it is served. */
type Known = { action: string; identity?: Identity; crossed: boolean };

async function serve(
  deps: MlflowDoorDeps,
  table: ReturnType<typeof createRouteTable>,
  exchange: Exchange,
  known: Known,
): Promise<void> {
  const { request, response, requestId } = exchange;
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const match = table.find(request.method ?? '', path);
  if ('route' in match) exchange.route = match.route.path;
  if ('route' in match && match.route.open === true) {
    const caller = { identity: NOBODY, door: DOOR, requestId };
    return answer(match.route, {
      ...exchange,
      services: servicesOf(deps, known),
      caller,
      input: {},
      params: match.params,
    });
  }
  const identity = await deps.identify(exchange, credentialOf(request));
  known.identity = identity;
  if (!('route' in match)) throw noRoute(request.method ?? '', path);
  const { route, params } = match;
  known.action = route.action;
  const isBytes = 'stream' in route || route.action === 'object.write';
  const input = isBytes ? {} : await readInput(exchange, query);
  const call: Call = {
    services: servicesOf(deps, known),
    caller: { identity, door: DOOR, requestId },
    input,
    params,
    request,
    response,
  };
  await answer(route, call);
}

async function answer(route: MlflowRoute, call: Call): Promise<void> {
  if ('stream' in route) await route.stream(call);
  else sendJson(call.response, 200, await route.serve(call));
}

/** The use cases, over a gateway that tells when a crossing has begun: from there on the crossing makes the entry. */
function servicesOf(deps: MlflowDoorDeps, known: Known): MlflowServices {
  const { clock, ids, lineage, resolveSource, version } = deps;
  const gateway: Pick<Gateway, 'cross'> = {
    cross: (request) => {
      known.crossed = true;
      return deps.gateway.cross(request);
    },
  };
  return {
    tracking: { gateway, lineage, clock, ids },
    models: { gateway, labelsOf: lineage.labelsOf, resolveSource, clock },
    objects: deps.objects,
    version,
  };
}

async function readInput(exchange: Exchange, query: string): Promise<Input> {
  const body = await readBody(exchange);
  // Large batches of many clients arrive together.
  await yieldLongTurn();
  if (body.length > 0) return parseJson(body);
  const input: Input = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const before = input[name];
    input[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return input;
}

async function readBody({ request, hold }: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > LARGEST_JSON_BYTES)
      throw new AppError('too_large', `The body is larger than ${LARGEST_JSON_BYTES} bytes.`);
    hold(chunk.length);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function parseJson(body: Buffer): Input {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new AppError('invalid', 'The body is not valid JSON.', { details: { wire: 'MALFORMED_REQUEST' } });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('invalid', 'The body must be a JSON object.', { details: { wire: 'MALFORMED_REQUEST' } });
  return value as Input;
}

/** `MLFLOW_TRACKING_TOKEN` comes as Bearer; with `MLFLOW_TRACKING_PASSWORD` the password is the token. */
function credentialOf(request: IncomingMessage): string | undefined {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ', 2);
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

const noRoute = (method: string, path: string): AppError =>
  new AppError('not_found', `There is no endpoint ${method} ${path.slice(0, 200)} here.`, {
    details: {
      wire: 'ENDPOINT_NOT_FOUND',
      hint: 'The routes that are served are in the reference of the MLflow door.',
    },
  });

/** Sees to it that a refusal is in the log; when even that cannot be written, nothing is answered but 503. */
async function audited(deps: MlflowDoorDeps, exchange: Exchange, known: Known, error: AppError): Promise<AppError> {
  if (known.crossed || error.code === 'internal' || error.code === 'unavailable' || known.action.startsWith('object.'))
    return error;
  const path = (exchange.request.url ?? '').split('?')[0] ?? '';
  try {
    await deps.gateway.refuse({
      ...(known.identity === undefined ? {} : { identity: known.identity }),
      door: DOOR,
      requestId: exchange.requestId,
      action: known.action,
      object: { kind: 'mlflow', id: `${exchange.request.method} ${path.slice(0, 200)}` },
      error,
    });
    return error;
  } catch (thrown) {
    return toAppError(thrown);
  }
}

const NOBODY: Identity = { type: 'user', id: '', user: '', roles: [], scopes: [], purpose: '' };
