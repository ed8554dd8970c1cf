/** The filter and order grammar of MLflow's searches, parsed into conditions; every door and store reads the same. */
import { AppError } from '#kernel/errors.ts';

export const OPERATORS = [
  '>=',
  '<=',
  '!=',
  '=',
  '>',
  '<',
  'LIKE',
  'ILIKE',
  'IN',
  'NOT IN',
  'IS NULL',
  'IS NOT NULL',
] as const;
export type Operator = (typeof OPERATORS)[number];
export type FilterValue =
  | { kind: 'text'; text: string }
  | { kind: 'number'; number: number }
  | { kind: 'list'; texts: string[] }
  | { kind: 'none' };
export type Condition = { entity: string; key: string; operator: Operator; value: FilterValue };
export type Ordering = { entity: string; key: string; descending: boolean };

/** The names that an entity goes by. */
const ENTITIES: Record<string, string> = {
  metric: 'metric',
  metrics: 'metric',
  param: 'param',
  params: 'param',
  parameter: 'param',
  parameters: 'param',
  tag: 'tag',
  tags: 'tag',
  attribute: 'attribute',
  attributes: 'attribute',
  attr: 'attribute',
  run: 'attribute',
  dataset: 'dataset',
  datasets: 'dataset',
};

type Token = { kind: 'word' | 'quoted' | 'operator' | 'punctuation'; text: string };

/** A quote within a quoted text is written twice or after a backslash; a backslash before the last quote is an ordinary one. */
const TOKEN =
  /\s+|("(?:""|\\"|[^"])*"|'(?:''|\\'|[^'])*'|`(?:``|[^`])*`)|(>=|<=|!=|=|>|<)|([(),])|([^\s"'`<>=!(),]+)/gy;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw invalid(text, `unexpected ${JSON.stringify(text.slice(at, at + 20))}`);
    const [, quoted, operator, punctuation, word] = match;
    if (quoted !== undefined) found.push({ kind: 'quoted', text: quoted });
    else if (operator !== undefined) found.push({ kind: 'operator', text: operator });
    else if (punctuation !== undefined) found.push({ kind: 'punctuation', text: punctuation });
    else if (word !== undefined) found.push({ kind: 'word', text: word });
  }
  return found;
}

const invalid = (filter: string, why: string): AppError =>
  new AppError('invalid', `Invalid filter '${filter.slice(0, 500)}': ${why}.`, {
    details: { hint: "Write it like: metrics.loss < 0.5 AND params.model = 'gpt'" },
  });

/** What stands between quotes counts as it is written, backslashes and doubled quotes too. */
const unquote = (text: string): string => text.slice(1, -1);

/** In lists, and only there, a backslash escapes a quote or a backslash. */
const unescaped = (text: string): string => text.replace(/\\(["'\\])/g, '$1');

const LONGEST_FILTER = 10_000;
const MOST_CONDITIONS = 100;

/** Parses a filter: conditions joined by AND. Throws `invalid`. */
export function parseFilter(text: string): Condition[] {
  if (text.length > LONGEST_FILTER) throw invalid(text, `it is longer than ${LONGEST_FILTER} characters`);
  const rest = tokens(text);
  const conditions: Condition[] = [];
  while (rest.length > 0) {
    if (conditions.length > 0) {
      const joint = rest.shift();
      if (joint?.text.toUpperCase() !== 'AND')
        throw invalid(text, `expected AND, found ${JSON.stringify(joint?.text)}`);
    }
    conditions.push(takeCondition(text, rest));
    if (conditions.length > MOST_CONDITIONS) throw invalid(text, `it has more than ${MOST_CONDITIONS} conditions`);
  }
  return conditions;
}

function takeCondition(filter: string, rest: Token[]): Condition {
  const { entity, key } = takeKey(filter, rest);
  const operator = takeOperator(filter, rest);
  if (operator !== 'IS NULL' && operator !== 'IS NOT NULL')
    return { entity, key, operator, value: takeValue(filter, rest) };
  if (entity !== 'param' && entity !== 'tag') throw invalid(filter, `${operator} is asked of params and tags only`);
  return { entity, key, operator, value: { kind: 'none' } };
}

function takeKey(filter: string, rest: Token[]): { entity: string; key: string } {
  const first = rest.shift();
  if (first === undefined || first.kind === 'operator' || first.kind === 'punctuation')
    throw invalid(filter, 'a condition must begin with what it is about');
  if (first.kind === 'word' && first.text.endsWith('.') && rest[0]?.kind === 'quoted')
    return { entity: entityOf(filter, first.text.slice(0, -1)), key: unquote(rest.shift()?.text ?? '""') };
  const following = rest[0];
  if (first.text.startsWith('`') && following?.kind === 'word' && following.text.startsWith('.')) {
    rest.shift();
    const quoted = following.text === '.' && rest[0]?.kind === 'quoted' ? rest.shift() : undefined;
    const key = quoted === undefined ? following.text.slice(1) : unquote(quoted.text);
    return { entity: entityOf(filter, unquote(first.text)), key };
  }
  const text = first.kind === 'quoted' ? unquote(first.text) : first.text;
  const dot = text.indexOf('.');
  if (first.kind === 'quoted' || dot < 0) return { entity: 'attribute', key: text };
  return { entity: entityOf(filter, text.slice(0, dot)), key: text.slice(dot + 1) };
}

function entityOf(filter: string, name: string): string {
  const lower = name.toLowerCase();
  const entity = Object.hasOwn(ENTITIES, lower) ? ENTITIES[lower] : undefined;
  if (entity === undefined) throw invalid(filter, `"${name}" is none of metrics, params, tags, attributes, datasets`);
  return entity;
}

/** The words that may come after the first of an operator. */
const FOLLOWING: Record<string, readonly string[]> = { NOT: ['IN'], IS: ['NOT', 'NULL'] };

function takeOperator(filter: string, rest: Token[]): Operator {
  const token = rest.shift();
  let text = token?.text.toUpperCase() ?? '';
  for (const word of FOLLOWING[text] ?? []) {
    if (rest[0]?.text.toUpperCase() !== word) continue;
    rest.shift();
    text += ` ${word}`;
  }
  const operator = OPERATORS.find((one) => one === text);
  if (operator === undefined) throw invalid(filter, `${JSON.stringify(token?.text ?? '')} is no comparison`);
  return operator;
}

const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function takeValue(filter: string, rest: Token[]): FilterValue {
  const token = rest.shift();
  if (token?.kind === 'quoted' && !token.text.startsWith('`')) return { kind: 'text', text: unquote(token.text) };
  if (token?.text === '(') return takeList(filter, rest);
  if (token?.kind !== 'word' || !NUMBER.test(token.text)) {
    throw invalid(filter, `expected a quoted text or a number, found ${JSON.stringify(token?.text ?? 'nothing')}`);
  }
  return { kind: 'number', number: Number(token.text) };
}

function takeList(filter: string, rest: Token[]): FilterValue {
  const texts: string[] = [];
  for (;;) {
    const token = rest.shift();
    if (token?.kind !== 'quoted') throw invalid(filter, 'a list holds quoted texts');
    texts.push(unescaped(unquote(token.text)));
    const after = rest.shift()?.text;
    if (after === ')') return { kind: 'list', texts };
    if (after !== ',') throw invalid(filter, 'a list is not closed');
  }
}

/** Parses one `order_by` clause, such as `metrics.loss DESC`. Throws `invalid`. */
export function parseOrder(text: string): Ordering {
  if (text.length > LONGEST_FILTER) throw invalid(text, `it is longer than ${LONGEST_FILTER} characters`);
  const rest = tokens(text.trim());
  const { entity, key } = takeKey(text, rest);
  const direction = rest.shift()?.text.toUpperCase() ?? 'ASC';
  if (rest.length > 0 || (direction !== 'ASC' && direction !== 'DESC'))
    throw invalid(text, 'an order is a key, then ASC or DESC');
  return { entity, key, descending: direction === 'DESC' };
}
