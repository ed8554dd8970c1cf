/** Conditions as SQL: shared by every search, so that operators mean the same everywhere. Values never become text. */
import { AppError } from '#kernel/errors.ts';
import { listSql, rawSql, type Sql, sql } from '#kernel/sql.ts';
import type { Condition, FilterValue, Operator } from './filter.ts';

const wrong = (condition: Pick<Condition, 'key' | 'operator'>, what: string): AppError =>
  new AppError('invalid', `Invalid filter: ${condition.key} ${condition.operator} …: ${what}.`);

/** A comparison of texts: `= != LIKE ILIKE IN NOT IN`, and `IS NULL`, `IS NOT NULL` of a column that may be. In patterns only % and _ are special. */
export function textCondition(column: Sql, condition: Condition): Sql {
  const { operator, value } = condition;
  if (operator === 'IS NULL') return sql`${column} is null`;
  if (operator === 'IS NOT NULL') return sql`${column} is not null`;
  if (operator === 'IN' || operator === 'NOT IN') {
    if (value.kind !== 'list') throw wrong(condition, 'it needs a list');
    return operator === 'IN'
      ? sql`${column} in ${listSql(value.texts)}`
      : sql`${column} not in ${listSql(value.texts)}`;
  }
  const text = textOf(condition, value);
  if (operator === '=') return sql`${column} = ${text}`;
  if (operator === '!=') return sql`${column} <> ${text}`;
  if (operator === 'LIKE') return sql`${column} like ${patternOf(condition, text)} escape '\\'`;
  if (operator === 'ILIKE') return sql`lower(${column}) like lower(${patternOf(condition, text)}) escape '\\'`;
  throw wrong(condition, 'texts are compared by =, !=, LIKE and ILIKE');
}

const MOST_WILDCARDS = 32;

/** The time that a pattern takes grows with its wildcards: many of them are no search. */
function patternOf(condition: Condition, text: string): string {
  if ((text.match(/%/g)?.length ?? 0) > MOST_WILDCARDS)
    throw wrong(condition, `a pattern has at most ${MOST_WILDCARDS} %`);
  return text.replaceAll('\\', '\\\\');
}

function textOf(condition: Condition, value: FilterValue): string {
  if (value.kind === 'text') return value.text;
  throw wrong(condition, 'the value must be a quoted text');
}

const NUMBER_OPERATORS: Partial<Record<Operator, string>> = {
  '=': '=',
  '!=': '<>',
  '>': '>',
  '>=': '>=',
  '<': '<',
  '<=': '<=',
};

/** A comparison of numbers: `> >= = != < <=`. */
export function numberCondition(column: Sql, condition: Condition): Sql {
  const operator = NUMBER_OPERATORS[condition.operator];
  if (operator === undefined) throw wrong(condition, 'numbers are compared by >, >=, =, !=, < and <=');
  if (condition.value.kind !== 'number') throw wrong(condition, 'the value must be a number');
  const { number } = condition.value;
  // PostgreSQL takes the type of a value from the column: what is no whole number cannot stand beside one.
  const value = Number.isSafeInteger(number) ? sql`${number}` : sql`cast(${number} as double precision)`;
  return sql`${column} ${rawSql(operator)} ${value}`;
}

export const unknownAttribute = (key: string, known: readonly string[]): AppError =>
  new AppError('invalid', `Invalid attribute key '${key}' specified. Valid keys are: ${known.join(', ')}.`);

/** The column that a name stands for in a table of them. */
export const columnOf = (columns: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(columns, name) ? columns[name] : undefined;
