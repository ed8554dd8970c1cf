/** The client: every operation of the API by its method and path, with types that follow from the OpenAPI document. */
import type { Bytes, Lines } from './bytes.ts';
import { errorOf, FumehoodError } from './errors.ts';
import { type Exec, type ExecOptions, openExec } from './exec.ts';
import { linesOf } from './json-lines.ts';
import type { Operations } from './schema.ts';

export type { Bytes, Exec, ExecOptions, Operations };
export { FumehoodError };

export type Operation = keyof Operations;
export type Answer<O extends Operation> = Operations[O]['answer'];
export type Body<O extends Operation> = Operations[O]['body'];
export type Sandbox = Answer<'GET /api/v1/sandboxes/{id}'>;

/** Operations that answer with bytes, with JSON lines, with data, with pages of a list, and those that become a stream. */
type BytesOperation = { [O in Operation]: Bytes extends Answer<O> ? O : never }[Operation];
type StreamOperation = { [O in Operation]: Operations[O]['start'] extends undefined ? never : O }[Operation];
type LinesOperation = { [O in Operation]: Answer<O> extends Lines<unknown> ? O : never }[Operation];
type DataOperation = Exclude<Operation, BytesOperation | LinesOperation | StreamOperation>;
type PageOperation = { [O in DataOperation]: Answer<O> extends { items: unknown[] } ? O : never }[DataOperation];
type Line<O extends LinesOperation> = Answer<O> extends Lines<infer One> ? One : never;
type Item<O extends PageOperation> = Answer<O> extends { items: (infer One)[] } ? One : never;

type Optional = Record<never, never>;
type Part<Type, Name extends string> = [Type] extends [undefined]
  ? Optional
  : Optional extends Type
    ? { [N in Name]?: Type }
    : { [N in Name]: Type };
// One member an operation: worked out for all at once, the union of all combinations would be too large for the compiler.
type OptionsOf = {
  [O in Operation]: Part<Operations[O]['params'], 'params'> &
    Part<Operations[O]['query'], 'query'> &
    Part<Operations[O]['body'], 'body'>;
};
export type Options<O extends Operation> = OptionsOf[O];
/** Options may be left out when none of them is needed. */
type ArgumentsOf = {
  [O in Operation]: Optional extends OptionsOf[O] ? [options?: OptionsOf[O]] : [options: OptionsOf[O]];
};
type Arguments<O extends Operation> = ArgumentsOf[O];

type ExecStart = Operations['GET /api/v1/sandboxes/{id}/exec']['start'];
type PythonStart = Operations['GET /api/v1/sandboxes/{id}/python']['start'];

export type Client = {
  /** Calls an operation; rejects with `FumehoodError`. */
  call<O extends DataOperation>(operation: O, ...options: Arguments<O>): Promise<Answer<O>>;
  /** All items of a list, page after page. */
  pages<O extends PageOperation>(operation: O, ...options: Arguments<O>): AsyncGenerator<Item<O>>;
  /** Calls an operation that answers with bytes. */
  download<O extends BytesOperation>(operation: O, ...options: Arguments<O>): Promise<ReadableStream<Uint8Array>>;
  /** Calls an operation that answers with JSON lines, and gives them as they come; leaving the loop ends the answer. */
  lines<O extends LinesOperation>(operation: O, ...options: Arguments<O>): AsyncGenerator<Line<O>>;
  /** Runs a command in a sandbox; resolves when it runs. */
  exec(sandbox: string, start: ExecStart, options?: ExecOptions): Promise<Exec>;
  /** Runs Python source in the warm interpreter of a sandbox. */
  python(sandbox: string, start: PythonStart, options?: ExecOptions): Promise<Exec>;
};

export type ClientOptions = { url: string; token: string; fetch?: typeof fetch };
type AnyPage = { items: unknown[]; next?: string | null };
type AnyOptions = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };

/** Makes a client of the control plane at `url`. */
export function createClient({ url, token, fetch: ask = fetch }: ClientOptions): Client {
  const base = url.replace(/\/+$/, '');
  const authorization = { authorization: `Bearer ${token}` };

  const send = async (operation: string, options: AnyOptions = {}): Promise<Response> => {
    const [method = 'GET', template = '/'] = operation.split(' ');
    const body = bodyOf(options.body);
    const answer = await ask(`${base}${pathOf(template, options.params)}${queryOf(options.query)}`, {
      method,
      headers: { ...authorization, ...body.headers },
      ...(body.content === undefined ? {} : { body: body.content, duplex: 'half' }),
      redirect: 'error',
    }).catch((cause: unknown) => {
      throw new FumehoodError({ code: 'unavailable', message: `${base} cannot be reached.`, cause });
    });
    if (answer.ok) return answer;
    throw errorOf(await answer.json().catch(() => undefined), answer.status);
  };
  const data = async (operation: string, options: AnyOptions = {}): Promise<unknown> => {
    const text = await (await send(operation, options)).text();
    return text === '' ? undefined : JSON.parse(text);
  };
  const stream = (sandbox: string, route: string, start: unknown, options?: ExecOptions): Promise<Exec> => {
    const path = pathOf(`/api/v1/sandboxes/{id}/${route}`, { id: sandbox });
    return openExec(base.replace(/^http/, 'ws') + path, authorization, start, options);
  };

  const client = {
    call: data,
    pages: async function* (operation: string, { query, ...rest }: AnyOptions = {}): AsyncGenerator<unknown> {
      let cursor: string | null | undefined;
      do {
        const page = (await data(operation, { ...rest, query: { ...query, cursor } })) as AnyPage;
        yield* page.items;
        cursor = page.next;
      } while (cursor !== null && cursor !== undefined);
    },
    download: async (operation: string, options?: AnyOptions): Promise<ReadableStream<Uint8Array>> => {
      const { body } = await send(operation, options);
      return body ?? new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
    },
    lines: async function* (operation: string, options?: AnyOptions): AsyncGenerator<unknown> {
      const { body } = await send(operation, options);
      if (body !== null) yield* linesOf(body);
    },
    exec: (sandbox: string, start: ExecStart, options?: ExecOptions) => stream(sandbox, 'exec', start, options),
    python: (sandbox: string, start: PythonStart, options?: ExecOptions) => stream(sandbox, 'python', start, options),
  };
  // The server answers by the very schemas that the types of the operations come from.
  return client as unknown as Client;
}

function bodyOf(body: unknown): {
  headers: Record<string, string>;
  content?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
} {
  if (body === undefined) return { headers: {} };
  const isBytes = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
  if (isBytes) return { headers: { 'content-type': 'application/octet-stream' }, content: body as string };
  return { headers: { 'content-type': 'application/json' }, content: JSON.stringify(body) };
}

/** Each value is encoded, so that none can become a path of its own; only a last `path` keeps its slashes. */
function pathOf(template: string, params: Record<string, unknown> = {}): string {
  return template.replace(/\{([^}]+)\}/g, (_whole, name: string) => {
    const value = String(params[name] ?? '');
    return name === 'path' ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
  });
}

function queryOf(query: Record<string, unknown> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  return search.size === 0 ? '' : `?${search}`;
}
