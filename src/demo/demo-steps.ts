/** The steps of the demo, in order. Each acts through commands alone and throws when something is not as promised. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commands, Refusal } from './demo-commands.ts';
import { writeCustomers, writeTopics } from './demo-data.ts';
import { flipOneByte } from './flip-one-byte.ts';

export type DemoContext = {
  commands: Commands;
  tokens: Map<string, string>;
  /** Scratch folder for data and exports. */
  scratch: string;
  examples: string;
  python: string;
  trainSeconds: number;
  say: (text: string) => void;
};

export type DemoStep = { title: string; run: (context: DemoContext) => Promise<void> };

type Created = { id: string; name: string; token?: string };

const PURPOSE = 'text generation';
/** Executes a notebook cell by cell, inside. */
const NOTEBOOK_RUNNER = join(import.meta.dirname, '../../python/fumehood_notebook/run_notebook.py');

export const DEMO_STEPS: readonly DemoStep[] = [
  { title: 'Start the control plane, with an engineer and an officer', run: startUp },
  { title: 'Add two data sets: one public, one with personal data', run: addDatasets },
  { title: 'Build the environment "text-generation" and open a sealed sandbox', run: openSandbox },
  { title: 'Train a small GPT in it, cell by cell', run: train },
  { title: 'Generate text in a second sandbox that is granted the model and nothing else', run: generate },
  { title: 'What is refused, and why: the network', run: refuseNetwork },
  { title: 'What is refused, and why: personal data without approval', run: personalData },
  { title: 'What is refused, and why: eight GPUs under a policy', run: refuseGpus },
  { title: 'The lineage of the model', run: lineage },
  { title: 'The audit log: verified, and caught lying', run: audit },
];

const explain = (context: DemoContext, refusal: Refusal): void => {
  context.say(`      refused: ${refusal.message}`);
  if (refusal.decisionId !== undefined) context.say(`      decision: ${refusal.decisionId}`);
  if (refusal.hint !== '') context.say(`      what to do: ${refusal.hint}`);
};

async function startUp({ commands, tokens }: DemoContext): Promise<void> {
  await commands.show(['up', '--detach']);
  for (const [name, role] of [
    ['erin', 'engineer'],
    ['olga', 'officer'],
  ] as const) {
    const { token } = await commands.json<Created>(['user', 'create', name, '--role', role]);
    if (token === undefined) throw new Error(`no token was made for ${name}`);
    tokens.set(name, token);
  }
}

async function addDatasets({ commands, scratch, python }: DemoContext): Promise<void> {
  writeTopics(join(scratch, 'topics'), python);
  writeCustomers(join(scratch, 'customers'));
  await commands.show(['dataset', 'add', 'topics', join(scratch, 'topics'), '--tag', 'public'], { as: 'erin' });
  await commands.show(['dataset', 'add', 'customers', join(scratch, 'customers'), '--tag', 'PII'], { as: 'erin' });
}

async function openSandbox({ commands }: DemoContext): Promise<void> {
  await commands.show(['environment', 'create', 'text-generation']);
  const sizes = ['--cpus', '2', '--memory', '2g', '--disk', '1g', '--ttl', '30m'];
  await commands.show(
    ['sandbox', 'create', '--name', 'train', '--environment', 'text-generation', ...sizes, '--purpose', PURPOSE],
    { as: 'erin' },
  );
}

async function copyIn({ commands, examples }: DemoContext, sandbox: string, file: string): Promise<void> {
  const files = [join(examples, 'text-generation', file), ...(file.endsWith('.ipynb') ? [NOTEBOOK_RUNNER] : [])];
  for (const one of files) await commands.show(['sandbox', 'cp', one, `${sandbox}:/workspace/`], { as: 'erin' });
}

async function train(context: DemoContext): Promise<void> {
  await copyIn(context, 'train', 'train.ipynb');
  const seconds = `TRAIN_SECONDS=${context.trainSeconds}`;
  await context.commands.show(
    ['sandbox', 'exec', 'train', '--env', seconds, '--', 'python', 'run_notebook.py', 'train.ipynb', 'trained.ipynb'],
    { as: 'erin' },
  );
  await context.commands.show(['run', 'list'], { as: 'erin' });
}

async function generate(context: DemoContext): Promise<void> {
  const wall = ['--cpus', '2', '--memory', '2g', '--disk', '256m', '--ttl', '15m'];
  const create = [
    'sandbox',
    'create',
    '--name',
    'generate',
    '--environment',
    'text-generation',
    ...wall,
    '--grant',
    'model:tiny-gpt/1',
  ];
  await context.commands.show([...create, '--purpose', PURPOSE], { as: 'erin' });
  await copyIn(context, 'generate', 'generate.ipynb');
  await context.commands.show(['sandbox', 'exec', 'generate', '--', 'python', 'run_notebook.py', 'generate.ipynb'], {
    as: 'erin',
  });
}

const PROBES: readonly { what: string; code: string }[] = [
  { what: 'by address', code: 'import socket; socket.create_connection(("192.0.2.1", 443), 3)' },
  { what: 'by name', code: 'import socket; socket.create_connection(("pypi.org", 443), 3)' },
];

const THROUGH_PROXY = `
import http.client, json
proxy = http.client.HTTPConnection("localhost", 3128, timeout=5)
proxy.request("GET", "http://example.org/")
answer = proxy.getresponse()
print(answer.status, answer.read().decode())
`;

async function refuseNetwork({ commands, say }: DemoContext): Promise<void> {
  for (const probe of PROBES) {
    const code = `try:\n    ${probe.code}\n    print("REACHED")\nexcept OSError as error:\n    print("${probe.what}:", error)`;
    const said = await commands.show(['sandbox', 'exec', 'generate', '--', 'python', '-c', code], { as: 'erin' });
    if (said.includes('REACHED')) throw new Error(`the internet was reached ${probe.what}`);
  }
  const said = await commands.show(['sandbox', 'exec', 'generate', '--', 'python', '-c', THROUGH_PROXY], {
    as: 'erin',
  });
  if (!said.includes('403')) throw new Error('the proxy did not refuse');
  say('      there is no route, no name service, and the proxy asks policy');
}

async function personalData(context: DemoContext): Promise<void> {
  const { commands, say } = context;
  const create = [
    'sandbox',
    'create',
    '--name',
    'customers',
    '--environment',
    'text-generation',
    '--memory',
    '2g',
    '--disk',
    '256m',
    '--ttl',
    '15m',
  ];
  const mount = [...create, '--mount', 'customers', '--purpose', PURPOSE];
  explain(context, await commands.refused(mount, { exitCode: 5 }, { as: 'erin' }));
  const ask = ['access', 'request', 'dataset', 'customers', '--purpose', PURPOSE, '--until', '1d'];
  const request = await commands.json<{ id: string }>(ask, { as: 'erin' });
  const approve = ['approval', 'approve', request.id, '--reason', 'a bounded experiment'];
  explain(context, await commands.refused(approve, { exitCode: 5 }, { as: 'erin' }));
  await commands.show(approve, { as: 'olga' });
  await commands.show(mount, { as: 'erin' });
  await copyIn(context, 'customers', 'customers.py');
  const said = await commands.show(['sandbox', 'exec', 'customers', '--', 'python', 'customers.py'], { as: 'erin' });
  const runId = said.trim().split('\n').at(-1) ?? '';
  for (const thing of [
    ['run', runId],
    ['model', 'spending'],
  ]) {
    const { labels } = await commands.json<{ labels: string[] }>([thing[0] ?? '', 'get', thing[1] ?? ''], {
      as: 'erin',
    });
    if (!labels.includes('PII')) throw new Error(`${thing.join(' ')} does not carry the label PII`);
    say(`      ${thing.join(' ')} is labelled ${labels.join(', ')}, because of what its sandbox had mounted`);
  }
}

async function refuseGpus(context: DemoContext): Promise<void> {
  const { commands, examples } = context;
  await commands.show(['policy', 'apply', join(examples, 'gpu-limit.rego'), '--name', 'gpu-limit', '--for', 'gpu'], {
    as: 'olga',
  });
  const refusal = await commands.refused(['sandbox', 'create', '--gpus', '8'], { exitCode: 5 }, { as: 'erin' });
  explain(context, refusal);
  if (refusal.decisionId === undefined) throw new Error('the refusal names no decision');
  await commands.show(['policy', 'explain', refusal.decisionId], { as: 'olga' });
}

async function lineage({ commands }: DemoContext): Promise<void> {
  await commands.show(['lineage', 'show', 'model:tiny-gpt/1', '--up', '--kinds', 'observed,declared'], { as: 'erin' });
}

async function audit({ commands, scratch, say }: DemoContext): Promise<void> {
  await commands.show(['audit', 'verify'], { as: 'olga' });
  const folder = join(scratch, 'audit');
  await commands.show(['audit', 'export', folder], { as: 'olga' });
  const key = join(folder, 'public-key');
  await commands.show(['audit', 'verify', '--dir', folder, '--public-key', key]);
  const file = flipOneByte(folder, { read: readFileSync, write: writeFileSync });
  say(`      one byte flipped in ${file}`);
  explain(
    { say } as DemoContext,
    await commands.refused(['audit', 'verify', '--dir', folder, '--public-key', key], { exitCode: 1 }),
  );
}
