/** The reference of the REST API, out of its OpenAPI document. */
import { type Described, describeOperations, type OpenApi } from '../clients/typescript/generate.ts';

/** Content of `docs/reference/rest-api.md`. */
export function renderRestApi(document: OpenApi): string {
  const groups = Map.groupBy(describeOperations(document), ({ path }) => path.split('/')[3] ?? 'others');
  const sections = [...groups].map(([name, operations]) => `## ${name}\n\n${operations.map(section).join('\n')}`);
  return `<!-- Made from the OpenAPI document by "FUMEHOOD_UPDATE_REFERENCE=1 node --test test/role-routes.test.ts". -->

# REST API

The same as [openapi.json](openapi.json), which every control plane serves at \`/api/v1/openapi.json\`; [who may call what](routes.md), [errors](errors.md).

A request carries \`Authorization: Bearer TOKEN\`. Bodies and answers are JSON, in which unknown members are refused; errors are \`application/problem+json\`.
Lists have \`items\` and \`next\`, the \`cursor\` of the following page. A \`POST\` may carry an \`Idempotency-Key\`: the same key and body are carried out once.
Every answer has an \`X-Request-Id\`, which the audit log has too. \`Bytes\` are sent and received as a stream, \`Lines\` come as JSON lines, one after the other (\`application/jsonl\`).

Without a token: \`GET /healthz\`, \`GET /readyz\` and \`GET /api/v1/openapi.json\`.

${sections.join('\n')}`;
}

function section({ method, path, summary, action, query, body, answer, start }: Described): string {
  const parts = { query, body, start, answer: start === undefined ? answer : undefined };
  const types = Object.entries(parts)
    .filter(([, type]) => type !== undefined && type !== 'undefined')
    .map(([part, type]) => `${part}: ${type}`);
  const stream = start === undefined ? '' : ' A WebSocket: the first frame is the start message.';
  const block = types.length === 0 ? '' : `\n\`\`\`ts\n${types.join('\n')}\n\`\`\`\n`;
  return `### ${method} ${path}\n\n${summary}. Policy action \`${action}\`.${stream}\n${block}`;
}
