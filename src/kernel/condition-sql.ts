/** Conditions as SQL: shared by every search, so that operators mean the same everywhere. Values never become text. */
import { AppError } from '#kernel/errors.ts';
import { listSql, rawSql, type Sql, sql } from '#kernel/sql.ts';
import type { Condition, FilterValue, Operator } from './filter.ts';

const wrong = (condition: Pick<Condition, 'key' | 'operator'>, what: string): AppError =>
  new AppError('invalid', `Invalid filter: ${condition.key} ${condition.operator} …: ${what}.`);

/** A comparison of texts: `= != LIKE ILIKE IN NOT IN`. */
export function textCondition(column: Sql, condition: Condition): Sql {
  const { operator, value } = condition;
  if (operator === 'IN' || operator === 'NOT IN') {
    if (value.kind !== 'list') throw wrong(condition, 'it needs a list');
    return operator === 'IN'
      ? sql`${column} in ${listSql(value.texts)}`
      : sql`${column} not in ${listSql(value.texts)}`;
  }
  const text = textOf(condition, value);
  if (operator === '=') return sql`${column} = ${text}`;
  if (operator === '!=') return sql`${column} <> ${text}`;
  if (operator === 'LIKE') return sql`${column} like ${text}`;
  if (operator === 'ILIKE') return sql`lower(${column}) like lower(${text})`;
  throw wrong(condition, 'texts are compared by =, !=, LIKE and ILIKE');
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
  return sql`${column} ${rawSql(operator)} ${condition.value.number}`;
}

export const unknownAttribute = (key: string, known: readonly string[]): AppError =>
  new AppError('invalid', `Invalid attribute key '${key}' specified. Valid keys are: ${known.join(', ')}.`);
