/** Pages of the reference that follow from the code. */
import { ERROR_CODES } from '#kernel/errors.ts';
import { KEYS, variableOf } from '#src/config/schema.ts';
import { MLFLOW_ROUTES } from '#src/doors/mlflow/mlflow-door.ts';
import { S3_ROUTES } from '#src/doors/s3/s3-routes.ts';
import { KV_ROUTES } from '#src/doors/vault/kv-routes.ts';
import { SYS_ROUTES } from '#src/doors/vault/sys-routes.ts';
import { TOKEN_ROUTES } from '#src/doors/vault/token-routes.ts';
import type { DoorRoute } from '#src/gateway/door.ts';
import { DOOR_LIMITS } from '#src/gateway/door-server.ts';
import type { MetricSpec } from '#src/telemetry/instrument.ts';
import { METRICS } from '#src/telemetry/metrics.ts';
import { LIMITS } from '#src/tracking/run.ts';
import { cliPage } from './cli-page.ts';
import { escapeSuitePage } from './escape-suite-page.ts';

const GENERATED = '<!-- Made from the code by "FUMEHOOD_UPDATE_REFERENCE=1 node --test test/docs.test.ts". -->\n';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*');

function configuration(): string {
  const rows = Object.entries(KEYS).map(([name, { fallback, help }]) => {
    const standard = Array.isArray(fallback) ? fallback.join(', ') : String(fallback ?? '');
    return `| \`${name}\` | \`${variableOf(name)}\` | ${standard === '' ? '' : `\`${standard}\``} | ${cell(help)} |`;
  });
  return `${GENERATED}
# Configuration

A value comes from a flag, the environment, \`./fumehood.yaml\`, \`fumehood/config.yaml\` of the user and of the system, or the default, in that order.
\`./fumehood config explain KEY\` names the winner. An unknown key or a wrong value stops the start with its line. Lists are separated by commas in the environment.

| key | variable | default | what it is |
|---|---|---|---|
${rows.join('\n')}
`;
}

function routesOf(title: string, port: number, routes: readonly DoorRoute[], note: string): string {
  const rows = routes.map(
    ({ method, path, action }) => `| ${method === '*' ? 'any' : method} | \`${path}\` | \`${action}\` |`,
  );
  return `## ${title}\n\nInside a sandbox: \`http://localhost:${port}\`. ${note}\n\n| method | path | policy action |\n|---|---|---|\n${[...new Set(rows)].join('\n')}\n`;
}

function doors(): string {
  const mlflow = MLFLOW_ROUTES.filter(({ path }) => !path.startsWith('/ajax-api/'));
  const limits = `Limits, as MLflow's server has them: ${LIMITS.batchMetrics} metrics, ${LIMITS.batchParams} parameters, ${LIMITS.batchTags} tags and ${LIMITS.batchTotal} in all a batch; keys of ${LIMITS.keyLength}, parameters of ${LIMITS.paramLength} and tags of ${LIMITS.runTagLength} characters (longer values are cut).`;
  return `${GENERATED}
# Doors and their routes

What is not in these tables is answered in the protocol's own error form, and audited. Of every door: a request's head has at most
${DOOR_LIMITS.maxHeaderBytes / 1024} KiB and arrives within ${DOOR_LIMITS.headersTimeoutMs / 1000} s; a connection ends after ${DOOR_LIMITS.idleTimeoutMs / 1000} s of silence, or ${DOOR_LIMITS.keepAliveTimeoutMs / 1000} s without a next request.

${routesOf('MLflow', 5000, mlflow, `Every route under \`/api/2.0/mlflow/\` is also served under \`/ajax-api/2.0/mlflow/\`. ${limits}`)}
${routesOf('S3', 9000, S3_ROUTES, 'Path style, and `BUCKET.localhost`. Signature version 4 in headers and in links.')}
${routesOf('Vault', 8200, [...KV_ROUTES, ...TOKEN_ROUTES, ...SYS_ROUTES], "The mount is `secret/`, KV version 2; `secret/s3` is a key pair of the sandbox's own.")}
## Egress proxy

Inside a sandbox: \`http://localhost:3128\`. \`CONNECT HOST:PORT\` and plain \`http://\` requests, each to a host and port that the sandbox was granted (\`egress.connect\`).
`;
}

function errors(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, exitCode, retryable, hint }]) =>
      `| \`${code}\` | ${status} | ${exitCode} | ${retryable ? 'yes' : 'no'} | ${cell(hint)} |`,
  );
  return `${GENERATED}
# Errors and exit codes

The API answers an error as \`application/problem+json\`; the command line prints it on stderr, with \`--json\` as one object. The S3, MLflow and Vault doors use the error form
of their protocol. 0 is success, 130 an interrupt; \`sandbox exec\` passes the exit code of its command on.

| code | HTTP status | exit code | worth a retry | what to do, where the error says nothing better |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function metrics(): string {
  const rows = Object.entries<MetricSpec>(METRICS).map(
    ([name, { type, labels, help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${cell(help)} |`,
  );
  return `${GENERATED}
# Metrics

\`GET /metrics\` gives them in the Prometheus text format to whoever policy lets do \`metrics.read\`; [how to scrape them](../how-to/monitor.md).
Times are in seconds, sizes in bytes. No user, run or sandbox is ever a label; a histogram has \`_bucket\`, \`_sum\` and \`_count\`.
Counters start at zero with the control plane; those of crossings count what is durable in the audit log.

| metric | type | labels | what it counts |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** Path below `docs/` to content. */
export const referencePages = async (): Promise<Record<string, string>> => ({
  'reference/cli.md': `${GENERATED}\n${await cliPage()}`,
  'reference/configuration.md': configuration(),
  'reference/doors.md': doors(),
  'reference/errors.md': errors(),
  'reference/escape-suite.md': escapeSuitePage(GENERATED, cell),
  'reference/metrics.md': metrics(),
});
