/** Follows HTTP/1.1 framing (RFC 9112 section 6) just far enough to know where each request of a connection begins. */

const MAX_HEAD_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 1024;
const LIST = Buffer.from('LIST ');
const LINK = Buffer.from('LINK ');
const CR = 13;
const LF = 10;

type State =
  | { at: 'start'; held: number }
  | { at: 'head'; text: number[] }
  | { at: 'body'; left: number }
  | { at: 'chunk-size'; text: number[] }
  | { at: 'chunk-data'; left: number }
  | { at: 'trailers'; lineBytes: number }
  | { at: 'unknown' };

/** Rewrites the verb `LIST` to `LINK` (same length, known to Node's parser) at the start of requests and nowhere else. */
export type ListRewriter = {
  /** The next bytes to parse; up to four may be held back until it is clear whether a verb is LIST. */
  push(chunk: Buffer): Buffer;
  /** What is still held back when the client has ended. */
  flush(): Buffer;
};

/** Framing that cannot be followed is passed on unchanged for good: the HTTP parser behind it refuses it in its own words. */
export function createListRewriter(): ListRewriter {
  let state: State = { at: 'start', held: 0 };

  return {
    push: (chunk) => {
      const out: Buffer[] = [];
      let from = 0;
      while (from < chunk.length) {
        const step = advance(state, chunk, from, out);
        state = step.state;
        from = step.next;
      }
      return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out);
    },
    flush: () => {
      const held = state.at === 'start' ? LIST.subarray(0, state.held) : Buffer.alloc(0);
      state = { at: 'unknown' };
      return held;
    },
  };
}

type Step = { state: State; next: number };

/** Consumes at least one byte of `chunk` from `from` on; adds what is to be parsed to `out`. */
function advance(state: State, chunk: Buffer, from: number, out: Buffer[]): Step {
  switch (state.at) {
    case 'start':
      return readVerb(state.held, chunk, from, out);
    case 'head':
      return readHead(state.text, chunk, from, out);
    case 'body':
    case 'chunk-data': {
      const next = Math.min(chunk.length, from + state.left);
      out.push(chunk.subarray(from, next));
      const left = state.left - (next - from);
      if (left > 0) return { state: { at: state.at, left }, next };
      return { state: state.at === 'body' ? { at: 'start', held: 0 } : { at: 'chunk-size', text: [] }, next };
    }
    case 'chunk-size':
      return readChunkSize(state.text, chunk, from, out);
    case 'trailers':
      return readTrailers(state.lineBytes, chunk, from, out);
    case 'unknown':
      out.push(chunk.subarray(from));
      return { state, next: chunk.length };
  }
}

function readVerb(held: number, chunk: Buffer, from: number, out: Buffer[]): Step {
  const byte = chunk[from];
  // Empty lines before a request are allowed (RFC 9112 section 2.2).
  if (held === 0 && (byte === CR || byte === LF)) {
    out.push(chunk.subarray(from, from + 1));
    return { state: { at: 'start', held: 0 }, next: from + 1 };
  }
  if (byte === LIST[held]) {
    if (held + 1 < LIST.length) return { state: { at: 'start', held: held + 1 }, next: from + 1 };
    out.push(LINK);
    return { state: { at: 'head', text: [...LIST] }, next: from + 1 };
  }
  const before = LIST.subarray(0, held);
  out.push(before);
  return readHead([...before], chunk, from, out);
}

function readHead(text: number[], chunk: Buffer, from: number, out: Buffer[]): Step {
  for (let at = from; at < chunk.length; at += 1) {
    const byte = chunk[at] ?? 0;
    text.push(byte);
    const end = text.length;
    const complete = byte === LF && (text[end - 2] === LF || (text[end - 2] === CR && text[end - 3] === LF));
    if (complete || end > MAX_HEAD_BYTES) {
      out.push(chunk.subarray(from, at + 1));
      const head = Buffer.from(text).toString('latin1');
      return { state: complete ? afterHead(head) : { at: 'unknown' }, next: at + 1 };
    }
  }
  out.push(chunk.subarray(from));
  return { state: { at: 'head', text }, next: chunk.length };
}

function afterHead(head: string): State {
  const lines = head.split(/\r?\n/);
  if (/^CONNECT /i.test(lines[0] ?? '')) return { at: 'unknown' };
  const valuesOf = (name: string): string[] =>
    lines
      .slice(1)
      .filter((line) => line.toLowerCase().startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trim());
  const coding = valuesOf('transfer-encoding');
  const lengths = valuesOf('content-length');
  if (valuesOf('upgrade').length > 0) return { at: 'unknown' };
  if (coding.length > 0) {
    const chunked = coding.length === 1 && lengths.length === 0 && coding[0]?.toLowerCase() === 'chunked';
    return chunked ? { at: 'chunk-size', text: [] } : { at: 'unknown' };
  }
  if (lengths.length === 0) return { at: 'start', held: 0 };
  const [length = ''] = lengths;
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) return { at: 'unknown' };
  return Number(length) === 0 ? { at: 'start', held: 0 } : { at: 'body', left: Number(length) };
}

function readChunkSize(text: number[], chunk: Buffer, from: number, out: Buffer[]): Step {
  for (let at = from; at < chunk.length; at += 1) {
    const byte = chunk[at] ?? 0;
    text.push(byte);
    if (byte !== LF && text.length <= MAX_LINE_BYTES) continue;
    out.push(chunk.subarray(from, at + 1));
    const size = /^([0-9a-f]{1,12})[ \t]*(;[^\n]*)?\r?\n$/i.exec(Buffer.from(text).toString('latin1'));
    if (size === null) return { state: { at: 'unknown' }, next: at + 1 };
    const bytes = Number.parseInt(size[1] ?? '', 16);
    // The data's own CRLF belongs to it.
    const state: State = bytes === 0 ? { at: 'trailers', lineBytes: 0 } : { at: 'chunk-data', left: bytes + 2 };
    return { state, next: at + 1 };
  }
  out.push(chunk.subarray(from));
  return { state: { at: 'chunk-size', text }, next: chunk.length };
}

function readTrailers(lineBytes: number, chunk: Buffer, from: number, out: Buffer[]): Step {
  let length = lineBytes;
  for (let at = from; at < chunk.length; at += 1) {
    const byte = chunk[at];
    if (byte === LF && length === 0) {
      out.push(chunk.subarray(from, at + 1));
      return { state: { at: 'start', held: 0 }, next: at + 1 };
    }
    if (byte === LF) length = 0;
    else if (byte !== CR) length += 1;
  }
  out.push(chunk.subarray(from));
  return { state: { at: 'trailers', lineBytes: length }, next: chunk.length };
}
