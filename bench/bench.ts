/**
 * `node bench/bench.ts [--json FILE] [--markdown FILE] [NAME]…`: measures Fumehood beside what people would use instead, both sides in one run, and prints a
 * table. Figures depend on the machine; ratios much less.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureAudit } from './cases/audit.ts';
import { measureCommandLine } from './cases/command-line.ts';
import { measureControlPlane } from './cases/control-plane.ts';
import { measureObjects } from './cases/objects.ts';
import { measurePolicy } from './cases/policy.ts';
import { measureManyRules } from './cases/policy-rules.ts';
import { measurePorts } from './cases/ports.ts';
import { measureSandboxes } from './cases/sandboxes.ts';
import { measureSlopes } from './cases/slopes.ts';
import { measureStalls } from './cases/stalls.ts';
import { measureTracking } from './cases/tracking.ts';
import type { Row } from './measure.ts';
import { machine, markdown, table } from './report.ts';

const CASES: Record<string, (say: (text: string) => void) => Promise<Row[]>> = {
  policy: async () => [...(await measurePolicy()), ...(await measureManyRules())],
  audit: measureAudit,
  'control-plane': measureControlPlane,
  'command-line': measureCommandLine,
  ports: measurePorts,
  sandboxes: measureSandboxes,
  tracking: measureTracking,
  objects: measureObjects,
  slopes: measureSlopes,
  stalls: measureStalls,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' }, markdown: { type: 'string' } },
  allowPositionals: true,
});
const unknown = positionals.find((name) => !Object.hasOwn(CASES, name));
if (unknown !== undefined) {
  process.stderr.write(`There is no benchmark "${unknown}". There are: ${Object.keys(CASES).join(', ')}.\n`);
  process.exit(2);
}
const names = positionals.length === 0 ? Object.keys(CASES) : positionals;
const rows: Row[] = [];
for (const name of names) {
  process.stderr.write(`measuring ${name}\n`);
  const found = await CASES[name]?.((text) => process.stderr.write(`  ${text}\n`));
  rows.push(...(found ?? []));
}
process.stdout.write(table(rows));
if (values.markdown !== undefined) writeFileSync(values.markdown, markdown(rows));
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ time: new Date().toISOString(), machine: machine(), rows }, null, 2)}\n`,
  );
process.exit(rows.every((row) => row.reached) ? 0 : 1);
