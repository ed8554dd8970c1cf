import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { type BuildEvent, createBuildProgress, inPhase } from './build-progress.ts';
import { eachLine } from './each-line.ts';

const AT = { user: 'ada', name: 'lab' };

function start(indexUrl?: string) {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs };
  const builds = createBuildProgress({ clock, indexUrl });
  const heard: BuildEvent[] = [];
  return { builds, heard, onEvent: (event: BuildEvent) => void heard.push(event), pass: (ms: number) => (nowMs += ms) };
}

const brief = (events: BuildEvent[]): string[] =>
  events.map(({ timeMs, build, kind, phase, text }) => `${timeMs} ${build} ${kind} ${phase} ${text}`.trim());

test('who watches hears the phases with their times, the lines and the end', () => {
  const { builds, heard, onEvent, pass } = start();
  const watch = builds.watch(AT, onEvent);
  const build = builds.begin({ ...AT, id: 'r1' });
  build.phase('resolve');
  pass(5);
  build.log('Resolved 1 package');
  build.phase('download');
  assert.equal(build.current(), 'download');
  assert.equal(watch.running(), 1);
  build.end('failed');
  assert.deepEqual(brief(heard), [
    '0 r1 phase resolve',
    '5 r1 log resolve Resolved 1 package',
    '5 r1 phase download',
    '5 r1 failed download',
  ]);
  assert.equal(watch.running(), 0);
  watch.stop();
  builds.begin({ ...AT, id: 'r2' }).phase('resolve');
  assert.equal(heard.length, 4);
});

test('who comes later gets what was told so far; what has ended is forgotten', () => {
  const { builds, onEvent } = start();
  const build = builds.begin({ ...AT, id: 'r1' });
  build.phase('resolve');
  assert.deepEqual(brief(builds.watch(AT, onEvent).earlier), ['0 r1 phase resolve']);
  build.end('done');
  assert.deepEqual(builds.watch(AT, onEvent).earlier, []);
});

test("nobody hears another user's build, nor that of another name", () => {
  const { builds, heard, onEvent } = start();
  builds.watch({ ...AT, user: 'bob' }, onEvent);
  builds.watch({ ...AT, name: 'other' }, onEvent);
  builds.watch({ user: 'ada","lab', name: '' }, onEvent);
  const build = builds.begin({ ...AT, id: 'r1' });
  build.phase('resolve');
  build.log('secret plans');
  assert.deepEqual(heard, []);
  assert.deepEqual(builds.watch({ ...AT, user: 'bob' }, onEvent).earlier, []);
});

test('of the lines only the newest are kept, and all phases', () => {
  const { builds, onEvent } = start();
  const build = builds.begin({ ...AT, id: 'r1' });
  build.phase('resolve');
  for (let line = 1; line <= 1000; line += 1) build.log(`line ${line}`);
  const { earlier } = builds.watch(AT, onEvent);
  assert.equal(earlier.length, 201);
  assert.deepEqual(brief(earlier.slice(0, 2)), ['0 r1 phase resolve', '0 r1 log resolve line 801']);
});

test('a line shows no password of an index and commands no terminal', () => {
  const { builds, heard, onEvent } = start('https://me:s3cr%40t@index.example/simple');
  builds.watch(AT, onEvent);
  const build = builds.begin({ ...AT, id: 'r1' });
  build.log('at https://you:other@mirror.example/x and https://me:s3cr%40t@index.example/y');
  build.log('s3cr@t \x1b[2Jgone\u202e');
  build.log('x'.repeat(5000));
  const texts = heard.map(({ text }) => text);
  assert.equal(texts[0], 'at https://(removed)@mirror.example/x and https://(removed)@index.example/y');
  assert.equal(texts[1], '(removed) \\x1b[2Jgone\\u202e');
  assert.equal(texts[2]?.length, 500);
});

test('an index address that is none, or is written badly, hinders no build', () => {
  for (const indexUrl of ['no address', 'https://me:50%@index.example/simple']) {
    const { builds, heard, onEvent } = start(indexUrl);
    builds.watch(AT, onEvent);
    builds.begin({ ...AT, id: 'r1' }).log('at 50% of https://me:50%@index.example/simple');
    assert.match(heard[0]?.text ?? '', /https:\/\/\(removed\)@index/);
  }
});

test('a user watches a name so many times and no more, until one watch ends', () => {
  const { builds, onEvent } = start();
  const watches = Array.from({ length: 16 }, () => builds.watch(AT, () => undefined));
  assert.equal(watches.length, 16);
  assert.throws(() => builds.watch(AT, onEvent), { code: 'too_many_requests' });
  watches[0]?.stop();
  builds.watch(AT, onEvent);
});

test('an error says in which phase, and keeps its code and details; a fault of ours stays what it is', () => {
  const error = inPhase(new AppError('denied', 'No.', { details: { decisionId: 'd1' } }), 'build');
  assert.ok(error instanceof AppError);
  assert.deepEqual(
    [error.code, error.message, error.details],
    ['denied', 'In the phase "build": No.', { decisionId: 'd1' }],
  );
  const fault = new TypeError('x');
  assert.equal(inPhase(fault, 'build'), fault);
});

test('text in pieces is told line by line, carriage returns and split characters included', () => {
  const lines: string[] = [];
  const take = eachLine((line) => lines.push(line));
  const bytes = Buffer.from('grüß\r\n\n50 %\r100 %\nrest');
  take(bytes.subarray(0, 3));
  take(bytes.subarray(3));
  take(' of it\n');
  take(`${'x'.repeat(9000)}\n`);
  assert.deepEqual(lines.slice(0, 4), ['grüß', '50 %', '100 %', 'rest of it']);
  assert.equal(lines[4]?.length, 2000);
});
