/** The demo as a user runs it, through the wrapper; what it promises is looked for in what it prints. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const WRAPPER = join(import.meta.dirname, '../../fumehood');
/** Seconds of training: less than the demo's minute, enough for the loss to fall. */
const TRAIN_SECONDS = '20';

let folder = '';
let output = '';
let code: number | null = null;

before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'fumehood demo '));
    const { FUMEHOOD_HOME: _home, ...env } = process.env;
    const child = spawn(WRAPPER, ['demo', '--plain', '--train-seconds', TRAIN_SECONDS], {
      env: { ...env, FUMEHOOD_DEMO_HOME: join(folder, 'home') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    code = await new Promise((resolve) => child.once('close', resolve));
  },
  { timeout: 600_000 },
);

after(() => rm(folder, { recursive: true, force: true }));

/** The part of the output that begins with this step. */
function step(title: string): string {
  const at = output.indexOf(title);
  assert.notEqual(at, -1, `the step "${title}" is in the output:\n${output.slice(-3000)}`);
  const next = output.slice(at).search(/\n\n\d+\. /);
  return next < 0 ? output.slice(at) : output.slice(at, at + next);
}

test('it ends well, with the time of every step', () => {
  assert.equal(code, 0, output.slice(-4000));
  assert.equal([...output.matchAll(/^ {4}\d+\.\d s$/gm)].length, 11);
  assert.match(output, /The demo took \d+ s\./);
});

test('the model is trained with falling validation loss, tracked, and registered', () => {
  const text = step('Train a small GPT');
  const [, from, to] = /validation loss (\d+\.\d+) -> (\d+\.\d+)/.exec(text) ?? [];
  assert.ok(Number(to) < Number(from) * 0.8, `${from} -> ${to}`);
  assert.match(text, /\d,\d{3},\d{3} parameters/);
  assert.match(text, /registered as tiny-gpt version 1/);
  assert.match(text, /tiny-gpt\ttext-generation\tFINISHED\tpublic/);
});

test('a second sandbox that was granted the model alone generates text', () => {
  const text = step('Generate text in a second sandbox');
  assert.match(text, /--grant model:tiny-gpt\/1/);
  assert.match(text, /loaded m-[0-9a-f]{32}/);
});

test('the network is refused by address, by name and through the proxy', () => {
  const text = step('the network');
  assert.match(text, /by address: .*unreachable/);
  assert.match(text, /by name: .*not known/);
  assert.match(text, /403 .*"decisionId":"dec-[0-9a-f]+"/);
});

test('personal data needs an approval by somebody else, and labels what comes of it', () => {
  const text = step('personal data without approval');
  assert.match(text, /tagged PII, and erin has no approval/);
  assert.match(text, /decision: dec-[0-9a-f]+/);
  assert.match(text, /Nobody decides on their own request/);
  assert.match(text, /run [0-9a-f]{32} is labelled PII/);
  assert.match(text, /model spending is labelled PII/);
});

test('eight GPUs are refused by the policy in the old syntax, with the condition that failed', () => {
  const text = step('eight GPUs');
  assert.match(text, /decision: dec-[0-9a-f]+/);
  assert.match(text, /input\.requested <= 4 was not true: input\.requested = 8/);
});

test('the lineage of the model names data set, environment, code and secret', () => {
  const text = step('The lineage of the model');
  for (const what of [
    /dataset:topics@1/,
    /environment:sha256:/,
    /code:sha256:/,
    /secret:s3/,
    /policy:sha256:/,
    /run:[0-9a-f]{32}/,
  ])
    assert.match(text, what);
});

test('the log verifies, and a flipped byte is named', () => {
  const text = step('The audit log');
  assert.equal([...text.matchAll(/verified: \d+ entries/g)].length, 2);
  assert.match(text, /refused: The audit log is not as it was written\. Entry \d+/);
});

test('nothing is left', () => {
  assert.match(
    step('Remove everything'),
    /no process, mount, namespace, loop device, file or listener of them remains/,
  );
  assert.equal(existsSync(join(folder, 'home')), false);
});
