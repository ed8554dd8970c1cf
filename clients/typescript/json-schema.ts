/** JSON Schema, as far as the OpenAPI document uses it, as TypeScript types. */

export type Schema = { readonly [key: string]: unknown };

const PRIMITIVES: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
};

/** The type that a schema stands for. */
export function typeOf(schema: Schema): string {
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return union(schema.enum.map((one) => JSON.stringify(one)));
  const several = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(several)) return union(several.map((one) => typeOf(one as Schema)));
  if (Array.isArray(schema.type)) return union(schema.type.map((type) => typeOf({ ...schema, type })));
  if (schema.type === 'array') return arrayType((schema.items ?? {}) as Schema);
  if (schema.type === 'object') return objectType(schema);
  return PRIMITIVES[String(schema.type)] ?? 'unknown';
}

const union = (types: string[]): string => [...new Set(types)].join(' | ');
const arrayType = (items: Schema): string => {
  const type = typeOf(items);
  return items.type !== 'object' && type.includes(' | ') ? `(${type})[]` : `${type}[]`;
};

function objectType({ properties, required, additionalProperties }: Schema): string {
  if (properties === undefined) {
    const values =
      typeof additionalProperties === 'object' && additionalProperties !== null ? additionalProperties : {};
    return `Record<string, ${typeOf(values as Schema)}>`;
  }
  const always = new Set(Array.isArray(required) ? required : []);
  return membersType(
    Object.entries(properties as Record<string, Schema>).map(([name, schema]) => ({
      name,
      required: always.has(name),
      schema,
    })),
  );
}

/** An object type out of its members. */
export function membersType(members: { name: string; required: boolean; schema: Schema }[]): string {
  const texts = members.map(({ name, required, schema }) => {
    const key = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : JSON.stringify(name);
    return `${key}${required ? '' : '?'}: ${typeOf(schema)}`;
  });
  return texts.length === 0 ? 'Record<string, never>' : `{ ${texts.join('; ')} }`;
}
