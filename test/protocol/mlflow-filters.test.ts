import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#kernel/errors.ts';
import { type Condition, type FilterValue, parseFilter, parseOrder } from '#kernel/filter.ts';
import { pythonWith } from './python-clients.ts';

const ENTITIES = { metric: 'metric', parameter: 'param', tag: 'tag', attribute: 'attribute', dataset: 'dataset' };
const TIMES = ['start_time', 'end_time', 'created'];
const TEXTS = ['run_id', 'run_name', 'status', 'artifact_uri', 'user_id'];

/** A name in one of the forms in which clients write it. */
const plainName = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}(\.[a-z0-9_]{1,5}){0,2}$/);
const oddName = fc.string({
  unit: fc.constantFrom('a', 'Z', '0', ' ', '.', '-', '/', ':', '\\', 'é', '<', '=', ',', '('),
  minLength: 1,
  maxLength: 10,
});
const name = fc.oneof(
  plainName,
  oddName.map((text) => `\`${text}\``),
  oddName.map((text) => `"${text.replaceAll('\\', '/')}"`),
);
const text = fc.string({
  unit: fc.constantFrom('a', 'B', ' ', '%', '_', '.', '\\', 'é', '☃', '<', "\\'", '(', ',', '`', '\n'),
  maxLength: 12,
});
const quoted = text.map((one) => `'${one.replace(/\\+$/, '')}'`);
const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map((one) => one.toFixed(3)),
  fc.constantFrom('1e5', '2.5E-3', '.5', '0', '7.'),
);
const list = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', ' ', '%', '\\\\', "\\'", '☃'), maxLength: 6 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((items) => `(${items.map((item) => `'${item.replace(/\\+$/, '')}'`).join(', ')})`);
const comparison = fc.constantFrom('=', '!=', '<', '<=', '>', '>=');
const likeness = fc.constantFrom('=', '!=', 'LIKE', 'ILIKE', 'like', 'iLike');
const membership = fc.constantFrom('IN', 'NOT IN', 'in', 'not in');
const join3 = (parts: [string, string, string]): string => parts.join(' ');
const clause = fc.oneof(
  fc
    .tuple(
      fc.tuple(fc.constantFrom('metrics', 'metric', '`metrics`'), name).map((p) => p.join('.')),
      comparison,
      number,
    )
    .map(join3),
  fc
    .tuple(
      fc.tuple(fc.constantFrom('params', 'tags', 'param', 'tag', 'parameter', '`tags`'), name).map((p) => p.join('.')),
      likeness,
      quoted,
    )
    .map(join3),
  fc
    .tuple(
      fc.tuple(fc.constantFrom('params', 'tags'), name).map((p) => p.join('.')),
      fc.constantFrom('IS NULL', 'IS NOT NULL', 'is null', 'is not null'),
    )
    .map((p) => p.join(' ')),
  fc.tuple(fc.constantFrom(...TIMES, ...TIMES.map((one) => `attributes.${one}`)), comparison, number).map(join3),
  fc.tuple(fc.constantFrom(...TEXTS, ...TEXTS.map((one) => `attribute.${one}`)), likeness, quoted).map(join3),
  fc
    .tuple(fc.constantFrom('run_id', 'attributes.run_id', 'datasets.name', 'dataset.digest'), membership, list)
    .map(join3),
);
const filters = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join(' AND '));
const orders = fc
  .tuple(
    fc.oneof(
      fc.tuple(fc.constantFrom('metrics', 'params', 'tags', '`metrics`'), name).map((parts) => parts.join('.')),
      fc.constantFrom('start_time', 'attributes.end_time', 'Created', 'run_name', 'status'),
    ),
    fc.constantFrom('', ' asc', ' DESC', ' Desc'),
  )
  .map((parts) => parts.join(''))
  // MLflow reads an order by the rules of a shell, and only when a direction is given: backslashes and outer spaces vanish.
  .filter((one) => !/\\|[."`] | ["`]/.test(one));
/** Anything at all: whatever MLflow takes, it must mean the same here. */
const anything = fc
  .array(
    fc.constantFrom(
      'metrics',
      'params',
      'tags.',
      '.',
      'a',
      'b',
      '`',
      "'",
      '"',
      '=',
      '<',
      '!',
      ' ',
      'AND',
      'IN',
      '(',
      ')',
      ',',
      '1',
      '.5',
      '-',
      '\\',
      'LIKE',
      'NULL',
      'IS',
      'NOT',
      ';',
      '--',
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(''));

type SaidOrder = [string, string, boolean] | { error: string };
type Said = [string, string, string, unknown][] | { error: string };
const COUNT = Number(process.env.FUMEHOOD_FUZZ_RUNS ?? 3000);

describe("the grammar of searches, against MLflow's own parser", () => {
  const questions = {
    filters: fc.sample(filters, COUNT),
    orders: fc.sample(orders, COUNT),
    anything: fc.sample(anything, COUNT).filter((one) => one.trim() !== ''),
  };
  const said: { filters: Said[]; orders: SaidOrder[]; anything: Said[] } = { filters: [], orders: [], anything: [] };
  before(async () => {
    const python = await pythonWith('mlflow-filters', ['mlflow-skinny==3.17.2']);
    const all = [
      ...questions.filters.map((filter) => ({ filter })),
      ...questions.orders.map((order) => ({ order })),
      ...questions.anything.map((filter) => ({ filter })),
    ];
    const lines = await answers(python, all);
    said.filters = lines.splice(0, questions.filters.length) as Said[];
    said.orders = lines.splice(0, questions.orders.length) as SaidOrder[];
    said.anything = lines as Said[];
  });

  it('means the same, condition by condition, in every form in which a client writes it', () => {
    let compared = 0;
    for (const [index, filter] of questions.filters.entries()) {
      const theirs = said.filters[index];
      if (theirs === undefined || 'error' in theirs) continue;
      compared += 1;
      assert.deepEqual(parseFilter(filter).map(asMlflow), theirs.map(normal), filter);
    }
    assert.ok(compared > COUNT / 2, `MLflow took only ${compared} of ${COUNT}`);
  });

  it('orders by the same key in the same direction', () => {
    let compared = 0;
    for (const [index, order] of questions.orders.entries()) {
      const theirs = said.orders[index];
      if (theirs === undefined || 'error' in theirs) continue;
      compared += 1;
      const { entity, key, descending } = parseOrder(order);
      assert.deepEqual([entity, key, !descending], [entityOf(theirs[0]), theirs[1], theirs[2]], order);
    }
    assert.ok(compared > COUNT / 2, `MLflow took only ${compared} of ${COUNT}`);
  });

  it('never takes another meaning out of any text: it is the same, or it is refused', () => {
    for (const [index, filter] of questions.anything.entries()) {
      const theirs = said.anything[index];
      if (theirs === undefined || 'error' in theirs) continue;
      let ours: Condition[];
      try {
        ours = parseFilter(filter);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === 'invalid', filter);
        continue;
      }
      assert.deepEqual(ours.map(asMlflow), theirs.map(normal), filter);
    }
  });
});

const entityOf = (type: string): string => ENTITIES[type as keyof typeof ENTITIES] ?? type;
const filterValue = (value: FilterValue): unknown => {
  if (value.kind === 'number') return value.number;
  if (value.kind === 'list') return value.texts;
  return value.kind === 'text' ? value.text : null;
};
const asMlflow = ({ entity, key, operator, value }: Condition): unknown[] => [
  entity,
  key,
  operator,
  filterValue(value),
];
/** MLflow leaves a metric's number as it was written. */
const normal = ([type, key, comparator, value]: [string, string, string, unknown]): unknown[] => [
  entityOf(type),
  key,
  comparator,
  type === 'metric' && typeof value === 'string' ? Number(value) : value,
];

function answers(python: string, questions: readonly unknown[]): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, [join(import.meta.dirname, 'mlflow_filters.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', () =>
      resolve(
        output
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ),
    );
    child.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
  });
}
