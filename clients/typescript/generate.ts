/** The client's types out of the OpenAPI document: one member an operation, named by method and path. */
import { membersType, type Schema, typeOf } from './json-schema.ts';

type Parameter = { name?: string; in?: string; required?: boolean; schema?: Schema };
type Media = Record<string, { schema?: Schema }>;
type OperationNode = {
  summary?: string;
  parameters?: Parameter[];
  requestBody?: { content: Media };
  responses: Record<string, { content?: Media }>;
  'x-fumehood-action'?: string;
  'x-fumehood-start'?: Schema;
};
export type OpenApi = { paths: Record<string, Record<string, OperationNode>> };

export type Described = {
  name: string;
  method: string;
  path: string;
  summary: string;
  action: string;
  params: string | undefined;
  query: string | undefined;
  body: string | undefined;
  answer: string;
  /** What the first frame of a stream holds. */
  start: string | undefined;
};

/** Every operation with its types, in the order of the document. */
export function describeOperations(document: OpenApi): Described[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => describe(method.toUpperCase(), path, operation)),
  );
}

function describe(method: string, path: string, operation: OperationNode): Described {
  const start = operation['x-fumehood-start'];
  return {
    name: `${method} ${path}`,
    method,
    path,
    summary: operation.summary ?? '',
    action: operation['x-fumehood-action'] ?? '',
    params: parametersType(operation, 'path'),
    query: parametersType(operation, 'query'),
    body: operation.requestBody === undefined ? undefined : contentType(operation.requestBody.content),
    answer: answerType(operation),
    start: start === undefined ? undefined : typeOf(start),
  };
}

function parametersType(operation: OperationNode, where: string): string | undefined {
  const some = (operation.parameters ?? []).filter((one) => one.in === where);
  if (some.length === 0) return undefined;
  return membersType(
    some.map(({ name = '', required = false, schema = {} }) => ({ name, required: required === true, schema })),
  );
}

function answerType(operation: OperationNode): string {
  const success = Object.entries(operation.responses).find(([status]) => /^2/.test(status));
  if (success === undefined) return 'never';
  const [status, { content }] = success;
  return status === '204' || content === undefined ? 'undefined' : contentType(content);
}

/** Bytes and JSON lines are types of their own: they are streamed. */
function contentType(content: Media): string {
  const line = content['application/jsonl']?.schema;
  if (line !== undefined) return `Lines<${typeOf(line)}>`;
  const json = content['application/json'];
  return json?.schema === undefined ? 'Bytes' : typeOf(json.schema);
}

/** The text of `src/schema.ts`. */
export function renderSchema(document: OpenApi): string {
  const members = describeOperations(document).map(({ name, summary, params, query, body, answer, start }) => {
    const parts = { params, query, body, answer, start };
    const lines = Object.entries(parts).map(([part, type]) => `    ${part}: ${type ?? 'undefined'};\n`);
    return `  /** ${summary} */\n  '${name}': {\n${lines.join('')}  };\n`;
  });
  return `/** Generated from the OpenAPI document (docs/reference/openapi.json); a test compares. */
import type { Bytes, Lines } from './bytes.ts';

export type Operations = {
${members.join('')}};
`;
}
