import { randomBytes } from 'node:crypto';
import { layoutOf, pythonLink, pythonStub, type TestEntry, tarOf } from '#src/images/test-layout.ts';

const FILES = 8000;
const FILE_BYTES = 12_500;

/** The tar of an image as large as one with a few libraries: many small files that compress to about a half. */
export function imageTar(): Buffer {
  const random = randomBytes(1_000_000);
  const files = Array.from({ length: FILES }, (_, at): TestEntry => {
    const content = Buffer.alloc(FILE_BYTES, `file ${at} of many\n`);
    random.copy(
      content,
      0,
      (at * 97) % (random.length - FILE_BYTES),
      ((at * 97) % (random.length - FILE_BYTES)) + FILE_BYTES / 2,
    );
    return { name: `usr/lib/many/${at % 200}/file-${at}.py`, content };
  });
  return layoutOf([tarOf([pythonStub, pythonLink]), tarOf(files)]).tar;
}
