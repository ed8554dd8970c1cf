import { Agent, type ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';

type Connected = (error: Error | null, stream: Duplex) => void;

/** Connections to one port of one sandbox, made by its agent and kept for the next request. */
export class PortAgent extends Agent {
  readonly #connect: () => Promise<Duplex>;

  constructor(connect: () => Promise<Duplex>) {
    super({ keepAlive: true, maxSockets: 128, maxFreeSockets: 16, scheduling: 'lifo' });
    this.#connect = connect;
  }

  override createConnection(_options: unknown, callback?: Connected): Duplex | null | undefined {
    this.#connect().then(
      (stream) => {
        // What the app has ended is of no more use, and is not kept.
        stream.allowHalfOpen = false;
        callback?.(null, stream);
      },
      (error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }

  /** The stream is no TCP socket: there is nothing to keep alive by, and nothing to wake. */
  override keepSocketAlive(stream: Duplex): boolean {
    return !stream.destroyed;
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    super.reuseSocket(Object.assign(stream, { ref: () => stream }), request);
  }
}
