/** Mixed load on a control plane that may die at any moment; everything that was acknowledged is remembered. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestControlPlane } from '../control-plane.ts';
import type { AccessKey } from '../sign-s3.ts';
import { runIn } from './run-in.ts';
import { uploadParts } from './upload-parts.ts';

export type Tokens = { engineer: string; officer: string };

/** Where and as whom the load speaks. */
export type Place = Tokens & { url: string; doors: Record<string, string> };

/** What it works on: a run to log to, and the sandbox that lives through it all. */
export type Targets = { run: { id: string; experiment: string }; key: AccessKey; sandbox: string };

/** What was acknowledged, and the request ids under which the log must know it. */
export type Acknowledged = {
  steps: number[];
  artifacts: Map<string, string>;
  secrets: Map<string, string>;
  uploads: Map<string, string>;
  execs: string[];
  created: Set<string>;
  deleted: Set<string>;
  approved: Set<string>;
  requestIds: string[];
};

export const nothing = (): Acknowledged => ({
  steps: [],
  artifacts: new Map(),
  secrets: new Map(),
  uploads: new Map(),
  execs: [],
  created: new Set(),
  deleted: new Set(),
  approved: new Set(),
  requestIds: [],
});

type Answer = { ok: boolean; status: number; requestId: string; body: Record<string, unknown> };

/** One request; undefined when no answer came. */
export async function ask(url: string, token: string, method: string, body?: unknown): Promise<Answer | undefined> {
  try {
    const bytes = typeof body === 'string';
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'x-vault-token': token,
        'content-type': bytes ? 'application/octet-stream' : 'application/json',
      },
      ...(body === undefined ? {} : { body: bytes ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const parsed = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
    const { ok, status } = response;
    return { ok, status, requestId: response.headers.get('x-request-id') ?? '', body: parsed };
  } catch {
    return undefined;
  }
}

export const MLFLOW = '/api/2.0/mlflow';
export const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts';

/** Begins the load on a run; `stop` lets the requests that are under way end. */
export function startLoad(place: Place, targets: Targets, seen: Acknowledged): { stop(): Promise<void> } {
  const { run, key } = targets;
  let going = true;
  const keep = (answer: Answer | undefined): answer is Answer => {
    if (answer === undefined || !answer.ok) return false;
    seen.requestIds.push(answer.requestId);
    return true;
  };
  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (going) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const { doors, url, engineer, officer } = place;
  const unique = (): string => randomBytes(6).toString('hex');
  const metric = async (): Promise<void> => {
    const step = Number.parseInt(unique().slice(0, 10), 16);
    const metrics = [{ key: 'm', value: 1, timestamp: 1, step }];
    if (keep(await ask(`${doors.mlflow}${MLFLOW}/runs/log-batch`, engineer, 'POST', { run_id: run.id, metrics })))
      seen.steps.push(step);
  };
  const artifact = async (): Promise<void> => {
    const path = `${run.experiment}/${run.id}/artifacts/${unique()}.txt`;
    const content = randomBytes(3000).toString('hex');
    if (keep(await ask(`${doors.mlflow}${ARTIFACTS}/${path}`, engineer, 'PUT', content)))
      seen.artifacts.set(path, content);
  };
  const secret = async (): Promise<void> => {
    const name = `crash-${unique()}`;
    const value = unique();
    if (keep(await ask(`${doors.vault}/v1/secret/data/${name}`, engineer, 'POST', { data: { value } })))
      seen.secrets.set(name, value);
  };
  const sandbox = async (): Promise<void> => {
    const made = await ask(`${url}/api/v1/sandboxes`, engineer, 'POST', { memory: '64m', disk: '32m' });
    if (!keep(made)) return;
    const id = String(made.body.id);
    seen.created.add(id);
    if (keep(await ask(`${url}/api/v1/sandboxes/${id}`, engineer, 'DELETE'))) seen.deleted.add(id);
  };
  const approval = async (): Promise<void> => {
    const purpose = unique();
    const asked = await ask(`${url}/api/v1/access-requests`, engineer, 'POST', {
      dataset: 'customers',
      purpose,
      until: '1d',
    });
    if (!keep(asked)) return;
    const id = String(asked.body.id);
    if (keep(await ask(`${url}/api/v1/access-requests/${id}/approve`, officer, 'POST', { reason: 'a test' })))
      seen.approved.add(id);
  };
  const upload = async (): Promise<void> => {
    const name = unique();
    const content = randomBytes(3000).toString('hex');
    if (await uploadParts(doors.s3 ?? '', key, name, content)) seen.uploads.set(name, content);
  };
  const exec = async (): Promise<void> => {
    const word = unique();
    if (await runIn({ url, token: engineer, sandbox: targets.sandbox }, ['sh', '-c', `echo ${word} >> execs`]))
      seen.execs.push(word);
  };
  const all = Promise.all([metric, metric, artifact, secret, sandbox, approval, upload, exec].map(repeat));
  return {
    stop: async () => {
      going = false;
      await all;
    },
  };
}

/** The address that a control plane has after this start. */
export const urlOf = (control: TestControlPlane): string =>
  (JSON.parse(readFileSync(join(control.home, 'control.json'), 'utf8')) as { url: string }).url;

/** Where a control plane is now: other ports after every start. */
export async function placeOf(control: TestControlPlane, tokens: Tokens): Promise<Place> {
  const url = urlOf(control);
  const token = readFileSync(join(control.home, 'operator.token'), 'utf8').trim();
  const status = await ask(`${url}/api/v1/status`, token, 'GET');
  if (status?.ok !== true) throw new Error(`the control plane at ${url} tells no status`);
  return { url, doors: status.body.doors as Record<string, string>, ...tokens };
}
