/** A policy of a thousand rules, in process as applied policies are, beside OPA as its documentation runs it: a server that is asked over REST. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBundle } from '#src/policies/load-bundle.ts';
import { findOpa } from '#src/policies/opa.ts';
import { readUserPolicy } from '#src/policies/user-policy.ts';
import { quantiles, type Row, timedInTurn } from '../measure.ts';
import { answering, ended, freePort, startServer } from '../processes.ts';

const RULES = 1000;
const DECISIONS = 5000;
const WARM_UP = 500;

/** Who may have how much, a rule each. */
const SOURCE = `package limits
import rego.v1

default allow := false
${Array.from({ length: RULES }, (_, at) => `allow if { input.subject.user == "user-${at}"; input.resource == "gpu"; input.requested <= ${(at % 8) + 1} }`).join('\n')}
`;
/** The last of the rules allows it. */
const INPUT = { resource: 'gpu', requested: 1, subject: { user: `user-${RULES - 1}`, roles: ['engineer'] } };

/** One decision about the same input on each side; both must allow it. */
export async function measureManyRules(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const opa = await findOpa();
  const { bundle } = await readUserPolicy(opa, SOURCE);
  const loaded = await loadBundle(bundle);
  const text = Buffer.from(JSON.stringify(INPUT));
  writeFileSync(join(folder, 'limits.rego'), SOURCE);
  const port = await freePort();
  const server = startServer(opa.path, ['run', '--server', '--addr', `127.0.0.1:${port}`, 'limits.rego'], {
    env: process.env,
    cwd: folder,
  });
  const agent = new Agent({ keepAlive: true });
  try {
    await answering(server, `http://127.0.0.1:${port}/health`);
    const body = JSON.stringify({ input: INPUT });
    const [ours = [], theirs = []] = await timedInTurn(DECISIONS, WARM_UP, [
      async () => {
        if (!loaded.evaluate(text).allowed) throw new Error('our decision was no');
      },
      async () => {
        const answer = await post({ agent, port, body });
        if (!answer.includes('"result":true')) throw new Error(`the decision of OPA was ${answer}`);
      },
    ]);
    const [own, other] = [quantiles(ours), quantiles(theirs)];
    return [
      {
        what: `policy of ${RULES} rules: one evaluation, the last rule allows`,
        value: own.median * 1000,
        unit: 'µs',
        p99: own.p99 * 1000,
        against: [{ name: 'OPA over REST', value: other.median * 1000, ratio: other.median / own.median }],
        reach: 'measured',
        reached: true,
      },
    ];
  } finally {
    agent.destroy();
    await ended(server);
    rmSync(folder, { recursive: true, force: true });
  }
}

function post({ agent, port, body }: { agent: Agent; port: number; body: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/data/limits/allow', headers });
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text)).on('error', reject);
    });
    sent.end(body);
  });
}
