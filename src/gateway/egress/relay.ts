/** Carries bytes between a sandbox and a host, after the first of them have shown that they go where they may. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Target } from './authority.ts';
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts';

export type RelayEnd = { bytesOut: number; bytesIn: number; reason: string; outcome: 'ok' | 'denied' };

const LINGER_MS = 1000;

type Verdict = { pass: Buffer } | { refuse: string };

/** Carries both ways until either side ends; resolves with the counts. Idle time is over both directions. */
export async function relay(options: {
  client: Duplex;
  upstream: Socket;
  target: Target;
  idleTimeoutMs: number;
  helloTimeoutMs: number;
}): Promise<RelayEnd> {
  const { client, upstream, target } = options;
  const before = { out: upstream.bytesWritten, in: upstream.bytesRead };
  let reason = 'ended';
  const closed = new Promise<void>((resolve) => {
    if (upstream.destroyed) resolve();
    upstream.once('close', () => resolve());
  });
  client.once('close', () => upstream.destroy());
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => {
    reason = 'broken';
  });
  upstream.setTimeout(options.idleTimeoutMs, () => {
    reason = 'idle';
    upstream.destroy();
  });
  // The host may speak first (SSH, SMTP): only what goes out is looked at.
  upstream.pipe(client);
  const verdict = await Promise.race([
    inspectStart(client, target, options.helloTimeoutMs),
    closed.then((): Verdict => ({ pass: Buffer.alloc(0) })),
  ]);
  if ('refuse' in verdict) {
    reason = verdict.refuse;
    upstream.destroy();
    client.destroy();
  } else if (!upstream.destroyed) {
    if (verdict.pass.length > 0) upstream.write(verdict.pass);
    client.pipe(upstream);
  }
  await closed;
  await drain(client, options.idleTimeoutMs);
  const refused = 'refuse' in verdict;
  return {
    bytesOut: upstream.bytesWritten - before.out,
    bytesIn: upstream.bytesRead - before.in,
    reason,
    outcome: refused ? 'denied' : 'ok',
  };
}

/** Lets the client have what is still on its way to it; then a second to close. */
function drain(client: Duplex, timeoutMs: number): Promise<void> {
  if (client.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let timer = setTimeout(resolve, timeoutMs);
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(resolve, LINGER_MS);
    };
    client.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    client.resume();
    if (client.writableFinished) wait();
    else client.end(wait);
  });
}

/** Reads the client's first bytes until it is clear whether they are TLS, and for which name. */
function inspectStart(client: Duplex, target: Target, timeoutMs: number): Promise<Verdict> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const done = (verdict: Verdict): void => {
      clearTimeout(timer);
      client.off('data', onData);
      client.off('end', onEnd);
      client.off('close', onEnd);
      client.pause();
      resolve(verdict);
    };
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const verdict = judge(seen, target);
      if (verdict !== undefined) done(verdict);
      else if (seen.length > MAX_HELLO_BYTES) done({ refuse: 'unreadable TLS' });
    };
    const onEnd = (): void => done(seen.length === 0 ? { pass: seen } : { refuse: 'ended within its first bytes' });
    // Where TLS is not a must, a client may wait for the host to speak for as long as the connection may idle.
    const onTime = (): void => {
      if (seen.length > 0 || target.port === 443) done({ refuse: 'no TLS in time' });
    };
    const timer = setTimeout(onTime, timeoutMs);
    client.on('data', onData);
    client.once('end', onEnd);
    client.once('close', onEnd);
    client.resume();
  });
}

function judge(seen: Buffer, target: Target): Verdict | undefined {
  const hello = readClientHello(seen);
  if (hello.kind === 'more') return undefined;
  if (hello.kind === 'not-tls') {
    if (target.port === 443) return { refuse: 'not TLS on port 443' };
    // What begins as TLS and then is none could be read differently by the host.
    return seen[0] === 22 && seen[1] === 3 ? { refuse: 'unreadable TLS' } : { pass: seen };
  }
  const expected = target.address === undefined ? target.host : undefined;
  if (hello.serverName === expected) return { pass: seen };
  return { refuse: `TLS names ${shown(hello.serverName)} where ${target.host} was granted` };
}

const shown = (name: string | undefined): string =>
  name === undefined ? 'no host' : name.slice(0, 120).replace(/[^\x21-\x7e]/g, '?');
