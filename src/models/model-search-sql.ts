/** Searches of the registry as SQL: models over `m`, versions over `v`. */
import { columnOf, numberCondition, textCondition, unknownAttribute } from '#kernel/condition-sql.ts';
import { type Condition, parseFilter, parseOrder } from '#kernel/filter.ts';
import { rawSql, type Sql, sql } from '#kernel/sql.ts';
import { labelsWithinSql } from '#src/lineage/labels-within-sql.ts';

type Search = { filter: string; owner: string; labelsWithin: readonly string[] | undefined };

const MODEL_TEXTS: Record<string, string> = { name: 'm.name' };
const MODEL_TIMES: Record<string, string> = {
  creation_timestamp: 'm.created_ms',
  last_updated_timestamp: 'm.updated_ms',
  timestamp: 'm.updated_ms',
};
const VERSION_TEXTS: Record<string, string> = {
  name: 'v.name',
  run_id: 'v.run_id',
  source_path: 'v.source',
  source: 'v.source',
  model_id: 'v.model_id',
};
const VERSION_NUMBERS: Record<string, string> = {
  version_number: 'v.version',
  version: 'v.version',
  creation_timestamp: 'v.created_ms',
  last_updated_timestamp: 'v.updated_ms',
};

function conditionSql(
  condition: Condition,
  texts: Record<string, string>,
  numbers: Record<string, string>,
  tag: (key: string, value: Sql) => Sql,
): Sql {
  const { entity, key } = condition;
  if (entity === 'tag') return tag(key, textCondition(rawSql('t.value'), condition));
  const text = entity === 'attribute' ? columnOf(texts, key) : undefined;
  if (text !== undefined) return textCondition(rawSql(text), condition);
  const number = entity === 'attribute' ? columnOf(numbers, key) : undefined;
  if (number !== undefined) return numberCondition(rawSql(number), numeric(condition));
  throw unknownAttribute(key, [...Object.keys(texts), ...Object.keys(numbers)]);
}

/** A version's number is written with and without quotes. */
function numeric(condition: Condition): Condition {
  const { value } = condition;
  return value.kind === 'text' && /^\d+$/.test(value.text)
    ? { ...condition, value: { kind: 'number', number: Number(value.text) } }
    : condition;
}

function orderSql(orderBy: readonly string[], columns: Record<string, string>): Sql[] {
  return orderBy.map(parseOrder).map(({ key, descending }) => {
    const column = columnOf(columns, key);
    if (column === undefined) throw unknownAttribute(key, Object.keys(columns));
    return rawSql(`${column} ${descending ? 'desc' : 'asc'}`);
  });
}

/** Prompts are rows of the registry with this tag; a search that does not ask for them does not tell them. */
const PROMPT_TAG = 'mlflow.prompt.is_prompt';

/** Conditions of a filter, of which "is no prompt" also fits what has no such tag. */
function filterSql(filter: string, isTagged: (key: string, value: Sql) => Sql, plain: (one: Condition) => Sql): Sql[] {
  const noPrompt = sql`not ${isTagged(PROMPT_TAG, sql`lower(t.value) = 'true'`)}`;
  const conditions = parseFilter(filter);
  const isAbout = ({ entity, key }: Condition): boolean => entity === 'tag' && key === PROMPT_TAG;
  return [
    ...(conditions.some(isAbout) ? [] : [noPrompt]),
    ...conditions.map((one) => (isAbout(one) && one.operator === '!=' ? noPrompt : plain(one))),
  ];
}

/** Throws `invalid`. */
export function modelConditions(search: Search): Sql[] {
  const { labelsWithin } = search;
  const tag = (key: string, value: Sql): Sql =>
    sql`exists (select 1 from registered_model_tags t where t.name = m.name and t.key = ${key} and ${value})`;
  const foreignVersion = (labels: readonly string[]): Sql =>
    sql`not exists (select 1 from model_versions v where v.name = m.name and v.deleted = 0 and not (${labelsWithinSql(rawSql("'model:' || v.name || '/' || v.version"), labels)}))`;
  return [
    sql`m.owner = ${search.owner}`,
    ...(labelsWithin === undefined
      ? []
      : [labelsWithinSql(rawSql("'model:' || m.name"), labelsWithin), foreignVersion(labelsWithin)]),
    ...filterSql(search.filter, tag, (one) => conditionSql(one, MODEL_TEXTS, MODEL_TIMES, tag)),
  ];
}

export const modelOrder = (orderBy: readonly string[]): Sql[] => orderSql(orderBy, { ...MODEL_TEXTS, ...MODEL_TIMES });

/** Throws `invalid`. */
export function versionConditions(search: Search): Sql[] {
  const { labelsWithin } = search;
  const tag = (key: string, value: Sql): Sql =>
    sql`exists (select 1 from model_version_tags t where t.name = v.name and t.version = v.version and t.key = ${key} and ${value})`;
  return [
    sql`v.owner = ${search.owner}`,
    ...(labelsWithin === undefined
      ? []
      : [
          labelsWithinSql(rawSql("'model:' || v.name"), labelsWithin),
          labelsWithinSql(rawSql("'model:' || v.name || '/' || v.version"), labelsWithin),
        ]),
    ...filterSql(search.filter, tag, (one) => conditionSql(one, VERSION_TEXTS, VERSION_NUMBERS, tag)),
  ];
}

export const versionOrder = (orderBy: readonly string[]): Sql[] =>
  orderSql(orderBy, { ...VERSION_TEXTS, ...VERSION_NUMBERS });
