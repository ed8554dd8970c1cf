/** Whatever an archive says: it is unpacked inside of its root or refused in words, and nothing outside is touched. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#kernel/errors.ts';
import { createBudget } from './budget.ts';
import { readTar } from './tar.ts';
import { streamOf, type TestEntry, tarOf } from './test-layout.ts';
import { unpackLayer } from './unpack-layer.ts';

const RUNS = Number(process.env.FUMEHOOD_FUZZ_RUNS ?? 200);

const Name = fc
  .array(
    fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh.b', '.wh..wh..opq', '.wh...', 'outside', 'secret'),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => parts.join('/'));
const Target = fc.oneof(
  Name,
  fc.constantFrom('/', '../outside', '../../outside/secret', '/a', '.', '../..', 'OUTSIDE', 'OUTSIDE', 'OUTSIDE'),
);
const Entry: fc.Arbitrary<TestEntry> = fc.record({
  name: Name,
  type: fc.constantFrom('0', '0', '5', '5', '2', '2', '1', '3', '6'),
  linkName: Target,
  content: fc.constantFrom('', 'text', 'x'.repeat(700)),
  mode: fc.constantFrom(0o644, 0o4755, 0o777),
});

async function inRoot(work: (root: string) => Promise<void>, outsideOf: (path: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-hostile-'));
  const [root, outside] = [join(folder, 'root'), join(folder, 'outside')];
  for (const path of [root, outside]) mkdirSync(path);
  writeFileSync(join(outside, 'secret'), 'secret');
  outsideOf(outside);
  try {
    await work(root).catch((error: unknown) => assert.ok(error instanceof AppError, String(error)));
    assert.deepEqual([readdirSync(folder).sort(), readdirSync(outside)], [['outside', 'root'], ['secret']]);
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const unpack = (root: string, bytes: Buffer): Promise<void> =>
  unpackLayer(root, readTar(streamOf(bytes, 333)), createBudget({ bytes: 1_000_000, entries: 100 }));

describe('an archive of any content', () => {
  it('in any order of files, links, whiteouts and folders stays in its root', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(Entry, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (layers) => {
        let outside = '';
        const real = (entry: TestEntry): TestEntry => ({
          ...entry,
          linkName: entry.linkName?.replace('OUTSIDE', outside) ?? '',
        });
        await inRoot(
          async (root) => {
            for (const layer of layers) await unpack(root, tarOf(layer.map(real)));
          },
          (path) => {
            outside = path;
          },
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('with bytes changed, left out or repeated is read or refused, and never breaks', async () => {
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(Entry, { maxLength: 4 }),
        fc.array(change, { maxLength: 6 }),
        fc.nat(),
        (entries, changes, cut) => {
          const bytes = tarOf(entries);
          for (const { at, to } of changes) bytes[at % bytes.length] = to;
          return inRoot(
            (root) => unpack(root, bytes.subarray(0, bytes.length - (cut % 2048))),
            () => undefined,
          );
        },
      ),
      { numRuns: RUNS },
    );
  });
});
