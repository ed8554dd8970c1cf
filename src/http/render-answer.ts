import { z } from 'zod';
import { yieldLongTurn } from '#kernel/long-turn.ts';

/** Lists above this are checked and written item by item. */
const LONG = 100;

type List = { item: z.ZodType; values: unknown[] };

/** The JSON of an answer: what its schema names and nothing else. Throws when it does not fit. Nobody waits for a long list in it as a whole. */
export async function renderAnswer(schema: z.ZodType, answer: unknown): Promise<string> {
  const lists = longLists(schema, answer);
  if (lists.size === 0) return JSON.stringify(fitting(schema, answer));
  const empty = Object.fromEntries([...lists.keys()].map((name) => [name, []]));
  const rest = fitting(schema, { ...(answer as object), ...empty }) as Record<string, unknown>;
  const members: string[] = [];
  for (const [name, value] of Object.entries(rest)) {
    const list = lists.get(name);
    const text = list === undefined ? JSON.stringify(value) : `[${(await itemTexts(list)).join(',')}]`;
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(',')}}`;
}

/** The long lists that an answer has at its top, by name. */
function longLists(schema: z.ZodType, answer: unknown): Map<string, List> {
  const lists = new Map<string, List>();
  if (!(schema instanceof z.ZodObject) || typeof answer !== 'object' || answer === null) return lists;
  for (const [name, of] of Object.entries(schema.shape)) {
    const values = (answer as Record<string, unknown>)[name];
    if (of instanceof z.ZodArray && Array.isArray(values) && values.length > LONG)
      lists.set(name, { item: of.element as z.ZodType, values });
  }
  return lists;
}

async function itemTexts({ item, values }: List): Promise<string[]> {
  const texts: string[] = [];
  for (const value of values) {
    await yieldLongTurn();
    texts.push(JSON.stringify(fitting(item, value)) ?? 'null');
  }
  return texts;
}

function fitting(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(`the answer does not fit the route's schema: ${parsed.error.message}`);
}
