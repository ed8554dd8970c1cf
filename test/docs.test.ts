/** What people read is true: commands are run as they stand, links lead somewhere, generated pages are as the code is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { referencePages } from './reference-pages.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = [
  ...globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).filter((page) => !page.startsWith('node_modules')),
].sort();
const RUN = PAGES.filter((page) => page === 'README.md' || /^docs\/(tutorials|how-to)\//.test(page));

type Step = { command: string; expected: string[]; exitCode: number };

/** The commands of a page's console blocks, each with the lines that its output must hold and its exit code. */
function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  for (const [, block = ''] of text.matchAll(/^```console\n([\s\S]*?)^```/gm)) {
    for (const line of block.split('\n').filter((one) => one !== '')) {
      const last = steps.at(-1);
      if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: [], exitCode: 0 });
      else if (last === undefined) throw new Error(`output before a command: ${line}`);
      else if (/^exit: \d+$/.test(line)) last.exitCode = Number(line.slice('exit: '.length));
      else last.expected.push(line);
    }
  }
  return steps;
}

function shell(command: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', command], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    child.on('close', (code) => resolve({ code, output }));
  });
}

for (const page of RUN) {
  test(`the commands of ${page} do what it says, on a fresh home`, { timeout: 120_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), 'fumehood-docs-'));
    const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...inherited } = process.env;
    const env = { ...inherited, FUMEHOOD_HOME: home, FUMEHOOD_LISTEN: '127.0.0.1:0', FUMEHOOD_OUTPUT: 'plain' };
    try {
      for (const { command, expected, exitCode } of stepsOf(readFileSync(join(ROOT, page), 'utf8'))) {
        const done = await shell(command, env);
        assert.equal(done.code, exitCode, `$ ${command}\n${done.output}`);
        for (const line of expected)
          assert.ok(done.output.includes(line), `"${line}" is in the output of\n$ ${command}\n${done.output}`);
      }
    } finally {
      await shell('./fumehood down --yes', env);
      await rm(home, { recursive: true, force: true });
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

test('generated pages of the reference are as the code is (FUMEHOOD_UPDATE_REFERENCE=1 writes them)', () => {
  for (const [name, content] of Object.entries(referencePages())) {
    const path = join(ROOT, 'docs', name);
    if (process.env.FUMEHOOD_UPDATE_REFERENCE !== undefined) writeFileSync(path, content);
    assert.equal(readFileSync(path, 'utf8'), content, name);
  }
});
