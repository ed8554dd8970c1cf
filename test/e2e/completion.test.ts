/** Completion as the shells do it, with the names of what is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { havePackages } from '#src/cli/debian-package.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
/** What is typed, and what Tab must offer at least. */
const TYPED: readonly (readonly [words: string[], offers: string])[] = [
  [['sandb'], 'sandbox'],
  [['sandbox', 'sh'], 'shell'],
  [['sandbox', 'exec', 'li'], 'lively'],
  [['dataset', 'get', 'sea'], 'seagulls'],
  [['sandbox', 'create', '--runtime', 'ru'], 'runc'],
  [['backup', 'cr'], 'create'],
];

let control: TestControlPlane;
let bin = '';
before(
  async () => {
    control = await startControlPlane();
    bin = mkdtempSync(join(tmpdir(), 'fumehood-completion-'));
    writeFileSync(join(bin, 'fumehood'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
    chmodSync(join(bin, 'fumehood'), 0o755);
    writeFileSync(join(bin, 'data.txt'), 'x');
    await control.json(['sandbox', 'create', '--name', 'lively', '--memory', '256m']);
    await control.json(['dataset', 'add', 'seagulls', join(bin, 'data.txt'), '--tag', 'public']);
  },
  { timeout: 120_000 },
);
after(async () => {
  rmSync(bin, { recursive: true, force: true });
  await control.close();
});

function shell(name: string, args: string[]): string {
  const env = { ...process.env, FUMEHOOD_HOME: control.home, PATH: `${bin}:${process.env.PATH}` };
  const done = spawnSync(name, args, { env, encoding: 'utf8', cwd: bin });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

const haveShell = (name: string): boolean =>
  havePackages({
    packages: [name],
    find: () => spawnSync(name, ['--version']).status === 0,
    need: `The test of completion needs ${name}`,
  });

test('bash offers commands, flags and live names', { timeout: 120_000 }, () => {
  for (const [words, offers] of TYPED) {
    const script = `source <(fumehood completion bash)
COMP_WORDS=(fumehood ${words.join(' ')}); COMP_CWORD=${words.length}; _fumehood; printf '%s\\n' "\${COMPREPLY[@]}"`;
    assert.ok(shell('bash', ['-c', script]).split('\n').includes(offers), words.join(' '));
  }
});

test('fish offers commands, flags and live names', { timeout: 300_000 }, () => {
  haveShell('fish');
  for (const [words, offers] of TYPED) {
    const script = `fumehood completion fish | source; complete -C 'fumehood ${words.join(' ')}'`;
    const offered = shell('fish', ['-c', script])
      .split('\n')
      .map((line) => line.split('\t')[0]);
    assert.ok(offered.includes(offers), words.join(' '));
  }
});

test('zsh offers commands, flags and live names', { timeout: 300_000 }, () => {
  haveShell('zsh');
  for (const [words, offers] of TYPED) {
    // The function that zsh would call, with the words that it would set; what it adds is printed.
    const script = `autoload -Uz compinit && compinit -u -D; source <(fumehood completion zsh)
compadd() { shift $(( $# - 1 )); print -rl -- \${(P)1} }; _files() { :; }
words=(fumehood ${words.join(' ')}); CURRENT=${words.length + 1}; _fumehood`;
    assert.ok(shell('zsh', ['-f', '-c', script]).split('\n').includes(offers), words.join(' '));
  }
});
