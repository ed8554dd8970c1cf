/** What people read is true: commands are run as they stand, links lead somewhere, generated pages are as the code is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import { pythonWith } from './protocol/python-clients.ts';
import { referencePages } from './reference-pages.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = [
  ...globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).filter((page) => !page.startsWith('node_modules')),
].sort();
const RUN = PAGES.filter((page) => page === 'README.md' || /^docs\/(tutorials|how-to|runbook)\//.test(page));

type Step = { command: string; expected: string[]; exitCode: number };

/** Packages of the real clients that a page uses. */
const CLIENTS: Record<string, string[]> = {
  'docs/how-to/connect-clients.md': ['mlflow-skinny', 'boto3', 'hvac'],
  'docs/how-to/use-from-python.md': ['httpx', 'websockets'],
};

/** Pages that install more than a page usually does. */
const LONGER_MS: Record<string, number> = { 'docs/tutorials/first-notebook.md': 420_000 };

/**
 * The commands of a page's console blocks. `$ ` starts a command and `> ` goes on with it; other lines are lines of its output, in
 * which `…` stands for anything; `exit: N` is its exit code where that is not 0.
 */
function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  for (const [, block = ''] of text.matchAll(/^```console\n([\s\S]*?)^```/gm)) {
    for (const line of block.split('\n').filter((one) => one !== '')) {
      const last = steps.at(-1);
      if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: [], exitCode: 0 });
      else if (last === undefined) throw new Error(`output before a command: ${line}`);
      else if (/^>( |$)/.test(line)) last.command += `\n${line.slice(2)}`;
      else if (/^exit: \d+$/.test(line)) last.exitCode = Number(line.slice('exit: '.length));
      else last.expected.push(line);
    }
  }
  return steps;
}

const matches = (output: string, line: string): boolean =>
  new RegExp(
    `^\\s*${line
      .trim()
      .split('…')
      .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}\\s*$`,
    'm',
  ).test(output);

function shell(script: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', script], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** Runs the steps in one shell, as a reader does, so that variables stay; the first that ends otherwise than it should ends it. */
async function runSteps(steps: Step[], env: NodeJS.ProcessEnv): Promise<void> {
  const mark = `step-${randomUUID()}`;
  const script = steps.map(
    ({ command, exitCode }) =>
      `{ ${command}\n} 2>&1\ncode=$?; printf '\\n${mark} %s\\n' $code; [ $code = ${exitCode} ] || exit 1\n`,
  );
  const { output } = await shell(script.join(''), env);
  const parts = output.split(new RegExp(`\n${mark} (\\d+)\n`));
  for (const [at, { command, expected, exitCode }] of steps.entries()) {
    const said = parts[2 * at] ?? '';
    assert.equal(parts[2 * at + 1], String(exitCode), `$ ${command}\n${said}`);
    for (const line of expected)
      assert.ok(matches(said, line), `"${line}" is a line of the output of\n$ ${command}\n${said}`);
  }
}

for (const page of RUN) {
  test(`the commands of ${page} do what it says, on a fresh home`, {
    timeout: LONGER_MS[page] ?? 120_000,
  }, async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'fumehood-docs-'));
    const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...inherited } = process.env;
    const env: NodeJS.ProcessEnv = {
      ...inherited,
      FUMEHOOD_HOME: join(scratch, 'home'),
      FUMEHOOD_LISTEN: '127.0.0.1:0',
      FUMEHOOD_OUTPUT: 'plain',
      XDG_CONFIG_HOME: join(scratch, 'config'),
      TMPDIR: scratch,
    };
    const clients = CLIENTS[page];
    if (clients !== undefined) {
      const python = await pythonWith(`docs-${basename(page, '.md')}`, clients);
      env.PATH = `${dirname(python)}:${env.PATH}`;
      env.PYTHONPATH = join(ROOT, 'python/fumehood/src');
    }
    try {
      await runSteps(stepsOf(readFileSync(join(ROOT, page), 'utf8')), env);
    } finally {
      const down = await shell('./fumehood down --yes', env);
      const { runDir } = pathsOf(join(scratch, 'home', 'driver'));
      const left = globSync('**', { cwd: runDir, withFileTypes: true }).filter((one) => !one.isDirectory());
      if (left.length === 0) await rm(runDir, { recursive: true, force: true });
      await rm(scratch, { recursive: true, force: true });
      assert.equal(down.code, 0, down.output);
      assert.deepEqual(
        left.map((one) => join(one.parentPath, one.name)),
        [],
        'nothing is left under /run',
      );
    }
  });
}

test('links and pictures lead to files that are there', () => {
  const broken = PAGES.flatMap((page) => {
    const text = readFileSync(join(ROOT, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(broken, []);
});

test('generated pages of the reference are as the code is (FUMEHOOD_UPDATE_REFERENCE=1 writes them)', async () => {
  for (const [name, content] of Object.entries(await referencePages())) {
    const path = join(ROOT, 'docs', name);
    if (process.env.FUMEHOOD_UPDATE_REFERENCE !== undefined) writeFileSync(path, content);
    assert.equal(readFileSync(path, 'utf8'), content, name);
  }
});
