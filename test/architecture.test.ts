/** The shape of the house: imports point inwards, files are small and named for what they are. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = globSync('src/**/*.ts', { cwd: ROOT }).sort();
const EDGES = ['doors', 'gateway', 'http', 'cli'];
const DOMAINS = [
  'sandboxes',
  'environments',
  'images',
  'datasets',
  'objects',
  'secrets',
  'tracking',
  'models',
  'assessments',
  'policies',
  'approvals',
  'audit',
  'lineage',
  'usage',
  'identity',
];
/** What a domain's routes and use cases may know of the edge: its shapes, and the one way to cross. */
const SHAPES = [
  'src/http/route.ts',
  'src/http/websocket-route.ts',
  'src/http/page.ts',
  'src/http/serve-exec.ts',
  'src/gateway/crossing.ts',
];
/** The words of the house in another domain: subjects and questions, nodes of the graph, the entry and commit of the log. */
const SHARED = [
  'src/policies/decision.ts',
  'src/lineage/node.ts',
  'src/lineage/labels-within-sql.ts',
  'src/audit/entry.ts',
  'src/audit/committer.ts',
];

/** What the escape suite signs its scorecard with. */
const ESCAPE_SIGNS = ['src/audit/checkpoint.ts'];

type Import = { from: string; to: string; typeOnly: boolean };

const isTest = (file: string): boolean =>
  /\.test\.ts$|-fixture\.ts$|(^|\/)contract(-[a-z-]+)?\.ts$|(^|\/)test-[a-z-]+\.ts$/.test(file);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const statements = [
    ...text.matchAll(/^(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/import\((\s*)(\s*)['"]([^'"]+)['"]\)/g),
  ];
  return statements.flatMap(([, type, names = '', specifier = '']) => {
    const to = resolveSpecifier(file, specifier);
    if (to === undefined) return [];
    const inner = /^\{([\s\S]*)\}$/
      .exec(names)?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    const typeOnly =
      (type ?? '').trim() === 'type' ||
      (inner !== undefined && inner.length > 0 && inner.every((name) => name.startsWith('type ')));
    return [{ from: file, to, typeOnly }];
  });
}

function resolveSpecifier(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#kernel/')) return `src/kernel/${specifier.slice('#kernel/'.length)}`;
  if (specifier.startsWith('#src/')) return `src/${specifier.slice('#src/'.length)}`;
  return specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : undefined;
}

/** The composition root, in one file or several. */
const isRoot = (file: string): boolean => file === 'src/main.ts' || ['composition', 'wiring'].includes(placeOf(file));
const placeOf = (file: string): string => file.split('/')[1] ?? '';
const nounOf = (domain: string): string =>
  domain.endsWith('ies') ? `${domain.slice(0, -3)}y` : domain === 'sandboxes' ? 'sandbox' : domain.replace(/s$/, '');

/** Why an import is not allowed, or nothing. */
function objection({ from, to, typeOnly }: Import): string | undefined {
  const [here, there] = [placeOf(from), placeOf(to)];
  if (here === there || there === 'kernel' || isRoot(from) || isTest(from)) return undefined;
  if (to === 'src/main.ts')
    return from === 'src/cli/commands/up.ts' ? undefined : 'only "up" starts the composition root';
  if (isTest(to)) return 'a test fixture is for tests';
  if (here === 'kernel') return 'the kernel imports nothing of the house';
  if (there === 'drivers' && here === 'sandboxes' && to !== 'src/drivers/driver.ts')
    return 'sandboxes see only the driver contract';
  if (DOMAINS.includes(here)) return objectionOfDomain({ from, to, typeOnly }, there);
  if (['drivers', 'database'].includes(here))
    return [...EDGES, ...DOMAINS, 'escape'].includes(there) ? 'it points outwards' : undefined;
  if (here === 'escape')
    return there === 'drivers' || ESCAPE_SIGNS.includes(to) ? undefined : 'attacks know drivers, and how a log signs';
  return undefined;
}

function objectionOfDomain({ to, typeOnly }: Import, there: string): string | undefined {
  if (SHAPES.includes(to) || SHARED.includes(to)) return undefined;
  if (to === 'src/drivers/driver.ts') return undefined;
  if (EDGES.includes(there)) return typeOnly ? undefined : 'a domain knows the edge by its shapes only';
  if (!DOMAINS.includes(there)) return typeOnly ? undefined : 'a domain is handed what is outside of it';
  if (typeOnly || basename(to, '.ts') === nounOf(there)) return undefined;
  return 'a domain knows another by its noun or its types only';
}

test('imports point inwards: kernel, then domains, then doors, gateway, http and cli, then main', () => {
  const wrong = SOURCES.flatMap(importsOf).flatMap((one) => {
    const why = objection(one);
    return why === undefined ? [] : [`${one.from} imports ${one.to}: ${why}`];
  });
  assert.deepEqual(wrong, []);
});

test("the rule sees an arrow that points outwards, and one to another domain's inside", () => {
  const wrong: [string, string][] = [
    ['src/kernel/a.ts', 'src/audit/entry.ts'],
    ['src/sandboxes/a.ts', 'src/drivers/oci/bundle.ts'],
    ['src/audit/a.ts', 'src/http/server.ts'],
    ['src/models/a.ts', 'src/objects/put-object.ts'],
    ['src/drivers/oci/a.ts', 'src/sandboxes/sandbox.ts'],
    ['src/drivers/oci/a.ts', 'src/escape/arena.ts'],
    ['src/escape/a.ts', 'src/cli/output.ts'],
    ['src/cli/run.ts', 'src/main.ts'],
  ];
  for (const [from, to] of wrong)
    assert.notEqual(objection({ from, to, typeOnly: false }), undefined, `${from} → ${to}`);
});

test('SQL is in stores (and the fragments beside them), in migrations and in the database folder alone', () => {
  const allowed = (file: string): boolean =>
    isTest(file) || /-(store|sql)\.ts$/.test(file) || ['database', 'kernel'].includes(placeOf(file));
  const wrong = SOURCES.filter((file) => !allowed(file)).filter((file) =>
    /\bsql`/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  assert.deepEqual(wrong, []);
});

test('files are named in kebab case for what they are, never for a drawer', () => {
  const wrong = SOURCES.map((file) => basename(file, '.ts').replace(/\.test$/, '')).filter(
    (name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || /(^|-)(utils?|helpers?|manager|misc|common|v\d+)$/.test(name),
  );
  assert.deepEqual(wrong, []);
});

test('no file is longer than 400 lines, nothing is exported by default, no barrel', () => {
  const wrong = SOURCES.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const found: string[] = [];
    if (text.split('\n').length > 401) found.push(`${file} is too long`);
    if (/^export default/m.test(text)) found.push(`${file} exports by default`);
    if (/^export \* from/m.test(text) || basename(file) === 'index.ts') found.push(`${file} is a barrel`);
    return found;
  });
  assert.deepEqual(wrong, []);
});
