/** The API as a load on the event loop calls it: answers are read to their end. */
export type StallApi = {
  get(path: string): Promise<string>;
  /** A path that is not below the API's. */
  absolute(path: string): Promise<string>;
  send(method: string, path: string, body?: string | Buffer): Promise<string>;
};

export function stallApi({ url, token }: { url: string; token: string }): StallApi {
  const call = async (method: string, path: string, body?: string | Buffer): Promise<string> => {
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    const headers = { authorization: `Bearer ${token}`, 'content-type': type };
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) };
    const answer = await fetch(`${url}/${path}`, { method, headers, ...sent });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return text;
  };
  return {
    get: (path) => call('GET', `api/v1/${path}`),
    absolute: (path) => call('GET', path),
    send: (method, path, body) => call(method, `api/v1/${path}`, body),
  };
}

/** Does something so many times, some of them at once. */
export async function atOnce(workers: number, count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let at = next++; at < count; at = next++) await work(at);
    }),
  );
}
