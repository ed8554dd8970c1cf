/** What a row of the MLflow door gets to serve one request. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DoorRoute } from '#src/gateway/door.ts';
import type { ModelsDeps } from '#src/models/models-deps.ts';
import type { Objects } from '#src/objects/create-objects.ts';
import type { Caller, TrackingDeps } from '#src/tracking/tracking-deps.ts';
import type { Input } from './input.ts';

export type MlflowServices = { tracking: TrackingDeps; models: ModelsDeps; objects: Objects; version: string };

export type Call = {
  services: MlflowServices;
  caller: Caller;
  /** The body, or the query of GET and DELETE without one. */
  input: Input;
  /** Values of the path, by the names in the row. */
  params: Record<string, string>;
  request: IncomingMessage;
  response: ServerResponse;
};

/** One row: `serve` answers with JSON, `stream` writes the response itself; `open` ones tell nothing of anybody. */
export type MlflowRoute = DoorRoute & { open?: true } & (
    | { serve: (call: Call) => Promise<Record<string, unknown>> }
    | { stream: (call: Call) => Promise<void> }
  );

/** A row of the API, under each prefix that clients use. `path` is below `mlflow/`. */
export const api = (
  method: string,
  path: string,
  action: string,
  serve: (call: Call) => Promise<Record<string, unknown>>,
): MlflowRoute[] =>
  ['/api/2.0/mlflow', '/ajax-api/2.0/mlflow'].map((prefix) => ({ method, path: `${prefix}/${path}`, action, serve }));
