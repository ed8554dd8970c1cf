import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { linkRuns } from './run-links.ts';

const RUN = '0123456789abcdef0123456789abcdef';
const PAGES = 'http://runs.localhost:3863/';

async function shown(parts: (string | Buffer)[], runPages: () => Promise<string | null>): Promise<Buffer> {
  const stream = linkRuns(runPages);
  const all = buffer(stream);
  for (const part of parts) stream.write(part);
  stream.end();
  return all;
}

test("the links that MLflow's client prints become those of the pages", async () => {
  const line = `🏃 View run tiny at: http://localhost:5000/#/experiments/1/runs/${RUN}\n`;
  const other = '🧪 View experiment at: http://localhost:5000/#/experiments/12\n';
  assert.equal(String(await shown([other], async () => PAGES)), `🧪 View experiment at: ${PAGES}experiments/12\n`);
  const text = String(await shown([line, 'and on\n', line], async () => PAGES));
  assert.equal(text, `🏃 View run tiny at: ${PAGES}${RUN}\nand on\n🏃 View run tiny at: ${PAGES}${RUN}\n`);
});

test('every other byte passes as it is, and nothing is asked for it', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
  const never = () => assert.fail('asked');
  assert.deepEqual(
    await shown([bytes, 'http://localhost:5000/api'], never),
    Buffer.concat([bytes, Buffer.from('http://localhost:5000/api')]),
  );
  const mixed = Buffer.concat([
    bytes,
    Buffer.from(` http://localhost:5000/#/experiments/ http://elsewhere:5000/#/experiments/1/runs/${RUN}`),
  ]);
  assert.deepEqual(await shown([mixed], async () => PAGES), mixed);
});

test('where no pages are served, or nobody says so, the link stays', async () => {
  const line = `http://localhost:5000/#/experiments/1/runs/${RUN}\n`;
  assert.equal(String(await shown([line], async () => null)), line);
  assert.equal(String(await shown([line], () => Promise.reject(new Error('denied')))), line);
});
