/** A table of `METHOD /path/:name/*rest` rows, compiled once into a tree of segments. */
export type PathRow = { method: string; path: string };

export type Match<T> =
  | { kind: 'found'; row: T; params: Record<string, string> }
  | { kind: 'wrong-method'; allowed: string[] }
  | { kind: 'unknown' };

type Node<T> = {
  literal: Map<string, Node<T>>;
  parameter?: Node<T>;
  /** Rows that take the rest of the path. */
  rest: Map<string, { row: T; name: string }>;
  rows: Map<string, T>;
  names: Map<string, string[]>;
};

const newNode = <T>(): Node<T> => ({ literal: new Map(), rest: new Map(), rows: new Map(), names: new Map() });

/** Compiles the table; two rows for the same method and shape are a programming error. A literal segment wins over `:name`, that over `*rest`. */
export function createRouter<T extends PathRow>(table: readonly T[]): (method: string, path: string) => Match<T> {
  const root = newNode<T>();
  for (const row of table) insert(root, row);
  return (method, path) => {
    const segments = decode(path);
    if (segments === undefined) return { kind: 'unknown' };
    const allowed = new Set<string>();
    const found = find(root, segments, 0, [], method, allowed);
    if (found !== undefined) return { kind: 'found', ...found };
    return allowed.size > 0 ? { kind: 'wrong-method', allowed: [...allowed].sort() } : { kind: 'unknown' };
  };
}

function insert<T extends PathRow>(root: Node<T>, row: T): void {
  const names: string[] = [];
  let node = root;
  for (const segment of row.path.split('/').slice(1)) {
    if (segment.startsWith('*')) {
      if (node.rest.has(row.method)) throw new Error(`two routes for ${row.method} ${row.path}`);
      node.rest.set(row.method, { row, name: segment.slice(1) });
      node.names.set(`*${row.method}`, names);
      return;
    }
    if (segment.startsWith(':')) {
      names.push(segment.slice(1));
      node.parameter ??= newNode<T>();
      node = node.parameter;
    } else {
      const next = node.literal.get(segment) ?? newNode<T>();
      node.literal.set(segment, next);
      node = next;
    }
  }
  if (node.rows.has(row.method)) throw new Error(`two routes for ${row.method} ${row.path}`);
  node.rows.set(row.method, row);
  node.names.set(row.method, names);
}

/** The path's segments, percent-decoded; undefined when the encoding is broken or holds a NUL. */
function decode(path: string): string[] | undefined {
  try {
    const segments = path.split('/').slice(1).map(decodeURIComponent);
    return segments.some((segment) => segment.includes('\0')) ? undefined : segments;
  } catch {
    return undefined;
  }
}

function find<T>(
  node: Node<T>,
  segments: string[],
  at: number,
  values: string[],
  method: string,
  allowed: Set<string>,
): { row: T; params: Record<string, string> } | undefined {
  const segment = segments[at];
  if (segment === undefined) {
    for (const key of node.rows.keys()) allowed.add(key);
    const row = node.rows.get(method);
    return row === undefined ? undefined : { row, params: named(node.names.get(method), values) };
  }
  const literal = node.literal.get(segment);
  if (literal !== undefined) {
    const found = find(literal, segments, at + 1, values, method, allowed);
    if (found !== undefined) return found;
  }
  if (node.parameter !== undefined && segment !== '') {
    const found = find(node.parameter, segments, at + 1, [...values, segment], method, allowed);
    if (found !== undefined) return found;
  }
  for (const key of node.rest.keys()) allowed.add(key);
  const rest = node.rest.get(method);
  if (rest === undefined) return undefined;
  const params = named(node.names.get(`*${method}`), values);
  params[rest.name] = segments.slice(at).join('/');
  return { row: rest.row, params };
}

function named(names: string[] | undefined, values: string[]): Record<string, string> {
  return Object.fromEntries((names ?? []).map((name, index) => [name, values[index] ?? '']));
}
