import { AppError } from '#kernel/errors.ts';

type Pattern = { method: string; path: string };

/** The path of a request in decoded segments, and its query. Encoded slashes and unreadable escapes are refused. Throws `invalid`. */
export function splitTarget(target: string): { segments: string[]; query: URLSearchParams } {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  try {
    return { segments: path.replace(/\/$/, '').split('/').slice(1).map(decodeURIComponent), query };
  } catch {
    throw new AppError('invalid', 'the path is not valid percent-encoding');
  }
}

/** Finds the row of a request: with its parameters, or which methods the path knows (none: no such path). */
export function matchRoute<R extends Pattern>(
  routes: readonly R[],
  method: string,
  segments: readonly string[],
): { route: R; params: Record<string, string> } | { methods: string[] } {
  const methods: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, segments);
    if (params === undefined) continue;
    if (route.method === method) return { route, params };
    methods.push(route.method);
  }
  return { methods };
}

function matchPath(pattern: string, segments: readonly string[]): Record<string, string> | undefined {
  const parts = pattern.split('/').slice(1);
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    if (part.startsWith('*')) {
      const rest = segments.slice(index);
      if (rest.length === 0) return undefined;
      params[part.slice(1)] = rest.join('/');
      return params;
    }
    if (segments[index] !== part) return undefined;
  }
  return parts.length === segments.length ? params : undefined;
}
