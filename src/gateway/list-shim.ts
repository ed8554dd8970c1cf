import { Duplex } from 'node:stream';
import { createListRewriter, type ListRewriter } from './request-framing.ts';

type TimedDuplex = Duplex & { setTimeout?: (timeoutMs: number) => unknown };

/** Stands before a socket so that Node's HTTP parser can read requests with the verb LIST (as `LINK`); all other bytes pass unchanged. */
export class ListShim extends Duplex {
  readonly #socket: TimedDuplex;
  readonly #rewriter: ListRewriter = createListRewriter();

  constructor(socket: TimedDuplex) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const bytes = this.#rewriter.push(chunk);
      if (bytes.length > 0 && !this.push(bytes)) socket.pause();
    });
    socket.on('end', () => {
      const held = this.#rewriter.flush();
      if (held.length > 0) this.push(held);
      this.push(null);
    });
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.pause();
  }

  /** The HTTP server bounds idle connections by this; the socket keeps the time. */
  setTimeout(timeoutMs: number): this {
    this.#socket.setTimeout?.(timeoutMs);
    return this;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
