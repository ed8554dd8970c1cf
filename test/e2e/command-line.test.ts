/** The command line as people use it, against a real control plane: on a terminal, on pipes, and interrupted. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { layoutOf, pythonLink, pythonStub, tarOf } from '#src/images/test-layout.ts';
import { type Finished, startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { openTerminal } from './terminal.ts';

let control: TestControlPlane;
let folder = '';
before(
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-cli-'));
    control = await startControlPlane();
    await control.json(['sandbox', 'create', '--name', 'first', '--memory', '512m', '--disk', '256m']);
  },
  { timeout: 120_000 },
);
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await control.close();
});

const names = async (): Promise<string[]> =>
  (await control.json<{ items: { name: string }[] }>(['sandbox', 'list'])).items.map((one) => one.name);

function program(name: string, source: string): string {
  const file = join(folder, name);
  writeFileSync(file, source);
  return file;
}

const runFile = (file: string, ...words: string[]): Promise<Finished> =>
  control.run(['run', file, '--memory', '512m', '--disk', '256m', ...words], { input: 'from stdin' });

test('run: streams, passes arguments and the exit code, brings back what was written, leaves no sandbox', async () => {
  const file = program(
    'job.py',
    `import os, sys
os.makedirs("deep/er")
open("deep/er/result.txt", "w").write(" ".join(sys.argv[1:]) + sys.stdin.read())
os.symlink("/etc/passwd", "deep/link")
print("out", os.environ["COLOUR"]); print("err", file=sys.stderr)
sys.exit(3)`,
  );
  const out = join(folder, 'out');
  const done = await runFile(file, '--out', out, '--env', 'COLOUR=red', '--', '--epochs', '3');
  assert.equal(done.code, 3, done.stderr);
  assert.equal(done.stdout, 'out red\n');
  assert.match(done.stderr, /^err$/m);
  assert.match(done.stderr, /left in the sandbox: deep\/link, a symlink/);
  assert.equal(readFileSync(join(out, 'deep/er/result.txt'), 'utf8'), '--epochs 3from stdin');
  assert.deepEqual(readdirSync(out, { recursive: true }).sort(), ['deep', 'deep/er', 'deep/er/result.txt']);
  assert.deepEqual(await names(), ['first']);
});

test('run: a link that stands in the folder is replaced or refused, never followed', async () => {
  const [out, elsewhere] = [join(folder, 'trap'), join(folder, 'elsewhere')];
  writeFileSync(elsewhere, 'mine');
  await runFile(program('first.py', 'open("a.txt", "w").write("1")'), '--out', out);
  rmSync(join(out, 'a.txt'));
  symlinkSync(elsewhere, join(out, 'a.txt'));
  await runFile(program('second.py', 'open("a.txt", "w").write("2")'), '--out', out);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
  assert.ok(lstatSync(join(out, 'a.txt')).isFile());
  symlinkSync(folder, join(out, 'd'));
  const refused = await runFile(
    program('third.py', 'import os; os.mkdir("d"); open("d/elsewhere", "w").write("3")'),
    '--out',
    out,
  );
  assert.equal(refused.code, 6, refused.stderr);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
  assert.deepEqual(await names(), ['first']);
});

test('run: more than the limit stays in the sandbox, and that is said', async () => {
  const file = program('large.py', 'open("big", "wb").write(bytes(3 << 20)); open("small", "w").write("s")');
  const out = join(folder, 'bounded');
  const done = await runFile(file, '--out', out, '--max-fetch', '1m');
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(readdirSync(out), ['small']);
  assert.match(done.stderr, /left in the sandbox: 1 file\(s\) beyond 1 MiB/);
});

test('run: Ctrl-C ends the program, the sandbox is removed, and the code is 130', async () => {
  const file = program('long.py', 'import time\nprint("ready", flush=True)\ntime.sleep(600)');
  const terminal = openTerminal(['run', file, '--memory', '512m', '--disk', '256m'], { home: control.home });
  await terminal.shows(/ready/);
  terminal.type('\x03');
  assert.equal(await terminal.ended(), 130, terminal.text());
  assert.deepEqual(await names(), ['first']);
});

test('run: a mistyped verb, another kind of file and arguments of a notebook are refused before anything starts', async () => {
  const cases: [string[], RegExp][] = [
    [['run', 'lst'], /Did you mean "fumehood run list"\?/],
    [['run', program('notes.txt', '')], /neither a Python file nor a notebook/],
    [['run', program('n.ipynb', '{}'), '--', 'x'], /--env K=V/],
    [['run', program('n.ipynb', '{}')], /is none: it is no JSON with cells[\s\S]*save it again/],
  ];
  for (const [words, hint] of cases) {
    const done = await control.run(words);
    assert.equal(done.code, 2);
    assert.match(done.stderr, hint);
  }
});

test('run: a notebook runs cell by cell, is tracked, and comes back with its outputs', {
  timeout: 300_000,
}, async () => {
  const packages = ['nbclient', 'ipykernel', 'mlflow-skinny'].flatMap((name) => ['--package', name]);
  await control.json(['environment', 'create', 'cells', ...packages]);
  const cell = (source: string) => ({ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source });
  const cells = [
    cell('import mlflow\nwith mlflow.start_run(run_name="noted") as run: mlflow.log_metric("loss", 0.5)'),
    cell('6 * 7'),
    cell('raise ValueError("on purpose")'),
    cell('print("never")'),
  ];
  const notebook = { cells, metadata: { kernelspec: { name: 'python3' } }, nbformat: 4, nbformat_minor: 4 };
  const out = join(folder, 'noted');
  const file = program('noted.ipynb', JSON.stringify(notebook));
  const done = await control.run(['run', file, '--environment', 'cells', '--memory', '1g', '--out', out]);
  assert.equal(done.code, 1, done.stderr);
  assert.match(done.stdout, /^\[2\/4\]\n42$/m);
  assert.match(done.stderr, /ValueError: on purpose/);
  assert.doesNotMatch(done.stderr, /without encryption/, 'the kernel listens on sockets of its user, on no port');
  assert.match(done.stderr, /^run ([0-9a-f]{32}) "noted" http:\/\/runs\.localhost:\d+\/\1 from environment:cells$/m);
  const back = JSON.parse(readFileSync(join(out, 'noted.ipynb'), 'utf8')) as {
    cells: { outputs: { output_type: string; data?: Record<string, string[]> }[] }[];
  };
  assert.deepEqual(back.cells[1]?.outputs[0]?.data?.['text/plain'], ['42']);
  assert.equal(back.cells[2]?.outputs[0]?.output_type, 'error');
  assert.deepEqual(back.cells[3]?.outputs, []);
  assert.deepEqual(await names(), ['first']);
});

test('environment create: a terminal shows each phase while it runs', async () => {
  const terminal = openTerminal(['environment', 'create', 'six', '--package', 'six==1.17.0'], { home: control.home });
  await terminal.shows(/resolve the versions\r[\s\S]*resolve the versions: done \(.+\)\r\n[\s\S]*store: done/);
  assert.equal(await terminal.ended(), 0, terminal.text());
});

test('image add: tells when it is sent and when it is checked; a refusal ends the phase that it is in', async () => {
  const { tar } = layoutOf([tarOf([pythonStub, pythonLink])]);
  const file = join(folder, 'layout.tar');
  writeFileSync(file, tar);
  const done = await control.run(['image', 'add', file, '--json']);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).added, true);
  assert.match(
    done.stderr,
    /^Sending the image "layout": done .+\n(.+\n)?Checking and unpacking the image "layout": done/m,
  );
  writeFileSync(file, tar.subarray(0, tar.length / 2));
  const cut = await control.run(['image', 'add', file]);
  assert.equal(cut.code, 2, cut.stderr);
  assert.match(cut.stderr, /^(Sending|Checking and unpacking) the image "layout": failed/m);
});

test('shell: a real terminal, with its size, colours and full-screen programs; its exit code is passed on', async () => {
  const terminal = openTerminal(['sandbox', 'shell', 'first'], { home: control.home });
  await terminal.shows(/first:~\$ /);
  terminal.type('echo $TERM; stty size\r');
  await terminal.shows(/xterm-256color\r\n24 80\r\n/);
  terminal.widen();
  await terminal.shows(/\$ /);
  terminal.type('until [ "$(stty size)" = "30 100" ]; do sleep 0.1; done; echo "wi"de\r');
  await terminal.shows(/\rwide\r\n/);
  terminal.type('seq 1 300 | less\r');
  await terminal.shows(/\x1b\[\?1049h/);
  terminal.type('q');
  await terminal.shows(/\x1b\[\?1049l/);
  terminal.type('echo sl"ee"ping; sleep 600; echo after\r');
  await terminal.shows(/\rsleeping\r\n/);
  terminal.type('\x03');
  terminal.type('exit 7\r');
  assert.equal(await terminal.ended(), 7, terminal.text());
});

test('on a terminal a table fits its 80 columns, has signs beside words, and says what to type next', async () => {
  const terminal = openTerminal(['sandbox', 'list'], { home: control.home });
  await terminal.ended();
  assert.match(terminal.text(), /first +● running +in \d+ min/);
  for (const line of terminal.text().split('\n')) assert.ok(line.length <= 80, line);
  const dumb = openTerminal(['sandbox', 'list'], { home: control.home, env: { TERM: 'dumb', LANG: 'C' } });
  await dumb.ended();
  assert.match(dumb.text(), /first +\* running/);
  assert.doesNotMatch(await dumb.shows(/first/), /\x1b/);
  const quiet = openTerminal(['sandbox', 'list'], { home: control.home, env: { NO_COLOR: '1' } });
  await quiet.ended();
  assert.doesNotMatch(await quiet.shows(/first/), /\x1b\[\d+m/);
  const hint = openTerminal(['sandbox', 'create', '--name', 'hinted', '--memory', '256m'], { home: control.home });
  assert.equal(await hint.ended(), 0);
  assert.match(hint.text(), /next: fumehood sandbox exec hinted/);
  await control.run(['sandbox', 'delete', 'hinted', '--yes']);
});

test('top: live on a terminal until Ctrl-C, once on a pipe, with the bytes that went through the doors', async () => {
  const fetchSome = 'import urllib.request; urllib.request.urlopen("http://localhost:5000/version").read()';
  await control.run(['sandbox', 'exec', 'first', '--', 'python3', '-c', fetchSome]);
  const { items } = await control.json<{ items: { name: string; cpuPercent: number; networkInBytes: number }[] }>([
    'top',
  ]);
  assert.equal(items[0]?.name, 'first');
  assert.ok((items[0]?.cpuPercent ?? -1) >= 0 && (items[0]?.networkInBytes ?? 0) > 0);
  const live = openTerminal(['top', '--every', '500ms'], { home: control.home });
  await live.shows(/1 running(.|\r|\n)*1 running(.|\r|\n)*1 running/);
  live.type('\x03');
  assert.equal(await live.ended(), 130);
  assert.match(await live.shows(/\x1b\[\?25h/), /first/);
  const watch = openTerminal(['sandbox', 'stats', 'first', '--watch'], { home: control.home });
  await watch.shows(/first/);
  watch.type('\x03');
  assert.equal(await watch.ended(), 130);
});

test('logs -f: tells what happens until the sandbox has ended', async () => {
  await control.json(['sandbox', 'create', '--name', 'told', '--memory', '256m']);
  const followed = control.run(['sandbox', 'logs', '-f', 'told', '--plain']);
  await control.run(['sandbox', 'exec', 'told', '--', 'true']);
  await control.run(['sandbox', 'delete', 'told', '--yes']);
  const { code, stdout } = await followed;
  assert.equal(code, 0);
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[1]),
    ['admitted', 'started', 'exec', 'exit', 'deleting', 'deleted'],
  );
});

test('cp and dataset add show how far they are, and copy folders both ways', async () => {
  const source = join(folder, 'tree');
  await control.run([
    'sandbox',
    'exec',
    'first',
    '--',
    'sh',
    '-c',
    'mkdir -p tree/a; echo 1 > tree/a/x; echo 2 > tree/y',
  ]);
  const out = await control.run(['sandbox', 'cp', 'first:tree', source]);
  assert.match(out.stdout, /copied 2 file\(s\), 4 B/);
  assert.equal(readFileSync(join(source, 'a/x'), 'utf8'), '1\n');
  const back = await control.run(['sandbox', 'cp', source, 'first:/workspace/again']);
  assert.equal(back.code, 0, back.stderr);
  const terminal = openTerminal(['dataset', 'add', 'tree', source, '--tag', 'public'], { home: control.home });
  assert.equal(await terminal.ended(), 0, terminal.text());
  assert.match(terminal.text(), /% of 4 B/);
  assert.ok(!existsSync(join(source, 'again')));
});
