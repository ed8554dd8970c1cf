import { z } from 'zod';
import type { Route } from './route.ts';
import type { WebSocketRoute } from './websocket-route.ts';

type Json = Record<string, unknown>;

const problemSchema: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'hint', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    hint: { type: 'string' },
    requestId: { type: 'string' },
    decisionId: { type: 'string' },
    fields: {
      type: 'array',
      items: { type: 'object', properties: { field: { type: 'string' }, message: { type: 'string' } } },
    },
  },
};

/** The OpenAPI 3.1 document of the routes, from the schemas that validate them. */
export function openApiOf(deps: {
  routes: readonly Route[];
  webSocketRoutes?: readonly WebSocketRoute[];
  version: string;
}): Json {
  const paths: Record<string, Json> = {};
  for (const route of deps.routes) addOperation(paths, route.path, route.method, operationOf(route));
  for (const route of deps.webSocketRoutes ?? []) addOperation(paths, route.path, 'GET', streamOf(route));
  return {
    openapi: '3.1.0',
    info: { title: 'Fumehood', version: deps.version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: problemSchema },
      parameters: {
        IdempotencyKey: {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description: 'A request with the same key and body is carried out once; the answer is kept for 24 hours.',
          schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
        },
      },
      responses: {
        Problem: {
          description: 'What went wrong, why, and what to do.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function addOperation(paths: Record<string, Json>, path: string, method: string, operation: Json): void {
  const template = path.replace(/\/[:*]([A-Za-z0-9_]+)/g, '/{$1}');
  const item = paths[template] ?? {};
  paths[template] = item;
  item[method.toLowerCase()] = operation;
}

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  return rest;
};

type Declared = {
  method: string;
  path: string;
  action: string;
  summary: string;
  params: z.ZodType | undefined;
  query: z.ZodType | undefined;
  bodyKind?: 'json' | 'raw';
};

const commonOf = (route: Declared): Json => ({
  operationId: `${route.method.toLowerCase()} ${route.path.replace(/^\/api\/v1/, '')}`
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/-$/, ''),
  summary: route.summary,
  tags: [route.path.split('/')[3] ?? 'fumehood'],
  'x-fumehood-action': route.action,
  parameters: [
    ...parametersOf('path', route.params),
    ...parametersOf('query', route.query),
    ...(route.method === 'POST' && route.bodyKind === 'json'
      ? [{ $ref: '#/components/parameters/IdempotencyKey' }]
      : []),
  ],
});

function operationOf(route: Route): Json {
  const content = answerOf(route);
  const success = { description: route.summary, ...(route.status === 204 ? {} : { content }) };
  return {
    ...commonOf(route),
    ...bodyOf(route),
    responses: { [String(route.status)]: success, default: { $ref: '#/components/responses/Problem' } },
  };
}

function answerOf({ response, line }: Route): Json {
  if (line !== undefined) return { 'application/jsonl': { schema: jsonSchema(line, 'output') } };
  return response === 'stream' ? { '*/*': {} } : { 'application/json': { schema: jsonSchema(response, 'output') } };
}

function streamOf(route: WebSocketRoute): Json {
  return {
    ...commonOf(route),
    description: 'A WebSocket; the first frame is the start message.',
    'x-fumehood-start': jsonSchema(route.start, 'input'),
    responses: { '101': { description: 'The stream.' }, default: { $ref: '#/components/responses/Problem' } },
  };
}

function bodyOf(route: Route): Json {
  if (route.bodyKind === 'raw') return { requestBody: { required: true, content: { 'application/octet-stream': {} } } };
  if (route.body === undefined) return {};
  const schema = jsonSchema(route.body, 'input');
  const required = Array.isArray(schema.required) && schema.required.length > 0;
  return { requestBody: { required, content: { 'application/json': { schema } } } };
}

function parametersOf(where: 'path' | 'query', schema: z.ZodType | undefined): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  const { properties: parsed = {} } = jsonSchema(schema, 'output') as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    // What is read from the words "true" and "false" is a truth value to whoever sends it.
    schema: parsed[name]?.type === 'boolean' ? { ...property, type: 'boolean' } : property,
  }));
}
