/** Finds the row of a request: plain paths by one look, others by their pattern. */
import type { MlflowRoute } from './mlflow-route.ts';

export type RouteTable = {
  /** The row with the values of its path, or which methods the path knows. */
  find(method: string, path: string): { route: MlflowRoute; params: Record<string, string> } | { methods: string[] };
};

type Pattern = { expression: RegExp; names: string[]; route: MlflowRoute };

export function createRouteTable(routes: readonly MlflowRoute[]): RouteTable {
  const plain = new Map<string, Map<string, MlflowRoute>>();
  const patterns: Pattern[] = [];
  for (const route of routes) {
    if (/[:*]/.test(route.path)) patterns.push(patternOf(route));
    else plain.set(route.path, (plain.get(route.path) ?? new Map<string, MlflowRoute>()).set(route.method, route));
  }
  return {
    find: (method, path) => {
      const rows = plain.get(path);
      const route = rows?.get(method);
      if (route !== undefined) return { route, params: {} };
      const fits = patterns.filter(({ expression }) => expression.test(path));
      const found = fits.find((one) => one.route.method === method);
      if (found === undefined) return { methods: [...(rows?.keys() ?? []), ...fits.map((one) => one.route.method)] };
      const values = found.expression.exec(path) ?? [];
      return {
        route: found.route,
        params: Object.fromEntries(found.names.map((name, at) => [name, values[at + 1] ?? ''])),
      };
    },
  };
}

function patternOf(route: MlflowRoute): Pattern {
  const names: string[] = [];
  const expression = route.path.replace(/[.]/g, '\\.').replace(/([:*])(\w+)/g, (_, kind: string, name: string) => {
    names.push(name);
    return kind === ':' ? '([^/]+)' : '(.+)';
  });
  return { expression: new RegExp(`^${expression}$`), names, route };
}
