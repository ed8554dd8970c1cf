import { Duplex, finished } from 'node:stream';
import type { Session } from '../driver.ts';
import { reportedError, startExec, startPython } from './exec.ts';
import { ask, createFiles, SILENCE_MS } from './files.ts';
import { agentFault } from './frames.ts';
import { type Dial, dialAhead, openWire, type Wire } from './wire.ts';

const PROTOCOL = 1;
/** Imports of a large environment from a cold disk. */
const LOADING_MS = 120_000;
const CLAIM_MS = 3000;

/** All that can be done inside a sandbox, over connections that `dial` makes to its agent, which must not keep silent for longer than that. */
export function createSession(straight: Dial, silenceMs: number = SILENCE_MS): Session {
  const { dial, approach, leave } = dialAhead(straight);
  return {
    approach,
    leave,
    exec: (options) => startExec(dial, options),
    runPython: (options) => startPython(dial, options),
    files: createFiles(dial, silenceMs),
    connectPort: (port) => connectPort(dial, port, silenceMs),
    activity: async () => {
      const { running, idleMs } = ((await ask(dial, { op: 'activity' }, { silenceMs })) ?? {}) as Record<
        string,
        unknown
      >;
      if (typeof running !== 'number' || typeof idleMs !== 'number') throw agentFault('an activity that cannot be');
      return { runningExecs: running, idleMs };
    },
  };
}

/** Whether an agent of this protocol answers. */
export async function greetAgent(dial: Dial): Promise<void> {
  const hello = (await ask(dial, { op: 'hello' })) as Record<string, unknown>;
  if (hello?.protocol !== PROTOCOL) throw agentFault('another version of the protocol');
}

/** Resolves when the warm interpreter has loaded what it loads ahead. */
export async function whenLoaded(dial: Dial): Promise<void> {
  await ask(dial, { op: 'loaded' }, { silenceMs: LOADING_MS });
}

/** Tells the agent of a sandbox that was made ahead whose it is. */
export async function claimAgent(dial: Dial, own: Record<string, string>): Promise<void> {
  await ask(dial, { op: 'claim', own }, { silenceMs: CLAIM_MS });
}

/** Asks the agent to end everything, itself last. */
export async function shutDownAgent(dial: Dial, graceMs: number): Promise<void> {
  await ask(dial, { op: 'shutdown', graceMs });
}

function connectPort(dial: Dial, port: number, silenceMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let ready = false;
    let outputEnded = false;
    const stream = new Duplex({
      read: () => wire.resume(),
      // On the wire an empty part is the end; what is written here with nothing in it is not.
      write: (chunk: Buffer, _encoding, done) => (chunk.length === 0 ? done() : wire.input(chunk, () => done())),
      final: (done) => wire.input(Buffer.alloc(0), () => done()),
      destroy: (error, done) => {
        wire.close();
        done(error);
      },
    });
    // A fault may come before anybody can listen: it must not end the process.
    stream.on('error', () => undefined);
    const wire: Wire = openWire(
      dial,
      { op: 'port', port },
      {
        onData: (_type, bytes) => {
          if (bytes.length > 0) return stream.push(bytes);
          outputEnded = true;
          stream.push(null);
          return true;
        },
        onJson: (message) => {
          if ('error' in message) return reject(reportedError(message.error));
          if (message.ready !== true || ready) throw agentFault('an answer out of turn');
          ready = true;
          resolve(stream);
        },
        onEnd: (fault) => {
          if (!ready) reject(fault);
          else if (outputEnded) finished(stream, { writable: false }, () => stream.destroy());
          else stream.destroy(fault);
        },
      },
    );
    wire.expect(silenceMs);
  });
}
