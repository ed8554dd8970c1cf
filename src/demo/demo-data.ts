import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TOPICS = `
import pathlib, sys
from pydoc_data.topics import topics
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
names = sorted(topics)
for start in range(0, len(names), 20):
    part = "\\n\\n".join(topics[name] for name in names[start : start + 20])
    (folder / f"topics-{start // 20:02d}.txt").write_text(part)
`;

/** Real English text that ships with Python: the language reference, in files of twenty topics. */
export function writeTopics(folder: string, python: string): void {
  execFileSync(python, ['-I', '-c', TOPICS, folder]);
}

/** Made-up people: what they are called, where they live and what they spent. */
export function writeCustomers(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const names = ['Ada', 'Ben', 'Cleo', 'Dora', 'Emil', 'Fay', 'Gus', 'Hana', 'Ivo', 'June'];
  const streets = ['Mill Lane', 'High Street', 'Quay', 'Orchard Row'];
  const rows = Array.from({ length: 200 }, (_, index) => {
    const name = `${names[index % names.length]} Example-${index}`;
    const street = `${(index * 7) % 90} ${streets[index % streets.length]}`;
    return `${index},${name},${street},person${index}@example.org,${(((index * 7919) % 20_000) / 100).toFixed(2)}`;
  });
  writeFileSync(join(folder, 'customers.csv'), `id,name,address,email,spent\n${rows.join('\n')}\n`);
}
