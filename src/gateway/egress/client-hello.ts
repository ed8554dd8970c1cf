/** Reads the server name from the first bytes of a TLS connection (RFC 8446 section 4.1.2, RFC 6066 section 3). */

export type Hello =
  | { kind: 'more' }
  | { kind: 'not-tls' }
  /** `serverName` is lower-case; undefined when the client named none. */
  | { kind: 'hello'; serverName: string | undefined };

/** A ClientHello may be this long, over all its records. */
export const MAX_HELLO_BYTES = 64 * 1024;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const NOT_TLS: Hello = { kind: 'not-tls' };

/** Looks at what a client has sent so far; a hello that is cut over records or packets is put together. Whatever is odd is `not-tls`. */
export function readClientHello(bytes: Buffer): Hello {
  const message = joinRecords(bytes);
  if (message === 'not-tls') return NOT_TLS;
  if (message.length > 0 && message[0] !== CLIENT_HELLO) return NOT_TLS;
  const length = message.length < 4 ? undefined : message.readUIntBE(1, 3);
  if (length !== undefined && length > MAX_HELLO_BYTES) return NOT_TLS;
  if (length === undefined || message.length < 4 + length)
    return bytes.length > MAX_HELLO_BYTES ? NOT_TLS : { kind: 'more' };
  try {
    return { kind: 'hello', serverName: serverNameOf(message.subarray(4, 4 + length)) };
  } catch {
    return NOT_TLS;
  }
}

function joinRecords(bytes: Buffer): Buffer | 'not-tls' {
  const fragments: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== HANDSHAKE) return fragments.length > 0 ? Buffer.concat(fragments) : 'not-tls';
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'not-tls';
    if (at + 5 > bytes.length) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_640) return 'not-tls';
    fragments.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return Buffer.concat(fragments);
}

/** Walks the hello to its server_name extension; throws RangeError where lengths do not fit, or when it is given twice. */
function serverNameOf(hello: Buffer): string | undefined {
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  if (at === hello.length) return undefined;
  const end = at + 2 + hello.readUInt16BE(at);
  if (end !== hello.length) throw new RangeError('extensions do not fit');
  at += 2;
  let found: string | undefined;
  while (at < end) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    if (at + 4 + length > end) throw new RangeError('extension does not fit');
    if (type === 0) {
      if (found !== undefined) throw new RangeError('two server names');
      found = hostNameOf(hello.subarray(at + 4, at + 4 + length));
    }
    at += 4 + length;
  }
  return found;
}

function hostNameOf(extension: Buffer): string {
  const listLength = extension.readUInt16BE(0);
  const type = extension.readUInt8(2);
  const length = extension.readUInt16BE(3);
  // Exactly one entry, of type host_name: more than one has no meaning that all servers share.
  if (type !== 0 || listLength !== length + 3 || extension.length !== listLength + 2)
    throw new RangeError('not one host name');
  return extension
    .subarray(5, 5 + length)
    .toString('latin1')
    .toLowerCase();
}
