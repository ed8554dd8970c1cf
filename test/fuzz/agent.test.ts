import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe } from 'node:test';
import fc from 'fast-check';
import {
  createFrameReader,
  decodeJson,
  encodeFrame,
  encodeJson,
  FRAME_TYPES,
  type Frame,
} from '#src/drivers/agent/frames.ts';
import { createSession } from '#src/drivers/agent/session.ts';
import { dialPath } from '#src/drivers/agent/wire.ts';
import { createHelper } from '#src/drivers/oci/helper-client.ts';
import { cuts, inPieces, slowTarget, taken, takenAfter, target } from './target.ts';

const TYPES = Object.values(FRAME_TYPES).filter((type) => type !== FRAME_TYPES.input);
const message = fc.oneof(
  fc.record({
    ok: fc.oneof(fc.jsonValue(), fc.constant({ name: 'a', kind: 'file', sizeBytes: 1, mode: 420, modifiedMs: 0 })),
  }),
  fc.record({ part: fc.jsonValue() }),
  fc.record({ error: fc.oneof(fc.jsonValue(), fc.record({ code: fc.string(), message: fc.string() })) }),
  fc.constant({ started: true }),
  fc.constant({ ready: true }),
  fc.record({ exit: fc.jsonValue(), signal: fc.jsonValue() }),
  fc.dictionary(fc.constantFrom('ok', 'exit', 'started', '__proto__', 'part'), fc.jsonValue()),
);
/** What an agent sends: answers that are due or not, output, frames that are none, and bytes. */
const said = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: message.map(encodeJson) },
    fc
      .tuple(fc.constantFrom(...TYPES), fc.uint8Array({ maxLength: 40 }))
      .map(([type, bytes]) => encodeFrame(type, Buffer.from(bytes))),
    fc.tuple(fc.nat(255), fc.nat(0xffff_ffff)).map(([type, length]) => {
      const head = Buffer.alloc(5);
      head.writeUInt8(type, 0);
      head.writeUInt32BE(length, 1);
      return head;
    }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  ),
  { maxLength: 6 },
);

/** Output comes in any number of parts: what counts is its bytes, and where in it JSON stands. */
function joined(frames: readonly Frame[]): Frame[] {
  const runs: Frame[] = [];
  for (const frame of frames) {
    const last = runs.at(-1);
    if (last === undefined || last.type !== frame.type || frame.type === FRAME_TYPES.json) runs.push({ ...frame });
    else last.payload = Buffer.concat([last.payload, frame.payload]);
  }
  return runs;
}

describe('fuzzing of the agent and the helper, which lie', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-fuzz-'));
  const path = join(folder, 'agent.sock');
  let server: Server;
  let script: readonly Buffer[] = [];
  before(async () => {
    server = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        for (const bytes of script) socket.write(bytes);
        socket.end();
      });
    });
    server.listen(path);
    await once(server, 'listening');
  });
  after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  target(
    'frames are the same however they are cut, and what is none is a fault',
    fc.tuple(said, cuts),
    ([frames, where]) => {
      const bytes = Buffer.concat(frames);
      const read = (pieces: readonly Buffer[]) =>
        taken(() => {
          const reader = createFrameReader();
          return pieces.flatMap((piece) => reader(piece));
        });
      const whole = read([bytes]);
      const cut = read(inPieces(bytes, where));
      if (whole !== undefined) assert.deepEqual(joined(cut ?? []), joined(whole));
      for (const frame of whole ?? []) if (frame.type === FRAME_TYPES.json) taken(() => decodeJson(frame.payload));
    },
    { share: 0.5 },
  );

  slowTarget(
    'whatever an agent answers, an operation ends, with a result or a fault',
    fc.tuple(
      said,
      cuts,
      fc.constantFrom('exec', 'python', 'list', 'read', 'stat', 'write', 'activity', 'remove', 'port', 'watch'),
    ),
    async ([frames, where, operation]) => {
      script = inPieces(Buffer.concat(frames), where);
      const session = createSession(dialPath(path), 300);
      await takenAfter(async () => {
        if (operation === 'exec' || operation === 'python') {
          const exec = await (operation === 'exec'
            ? session.exec({ argv: ['true'] })
            : session.runPython({ source: 'x' }));
          const ends = [exec.stdout, exec.stderr].map((stream) => stream.on('error', () => undefined).resume());
          await exec.result;
          for (const stream of ends) stream.destroy();
        } else if (operation === 'read') for await (const _chunk of await session.files.read('a'));
        else if (operation === 'write') await session.files.write('a', Readable.from([Buffer.from('x')]));
        else if (operation === 'activity') await session.activity();
        else if (operation === 'remove') await session.files.remove('a');
        else if (operation === 'port') (await session.connectPort(80)).resume().destroy();
        else if (operation === 'watch')
          (await session.files.watch('a', { onChange: () => undefined, onEnd: () => undefined }))();
        else if (operation === 'list') await session.files.list('a');
        else await session.files.stat('a');
      });
    },
    { quick: 300, share: 0.01 },
  );

  const answer = fc.oneof(
    fc.jsonValue(),
    fc.record({
      id: fc.oneof(fc.constant(1), fc.jsonValue()),
      ok: fc.jsonValue(),
      error: fc.jsonValue(),
      door: fc.jsonValue(),
    }),
  );
  slowTarget(
    'whatever the helper answers, what was asked of it ends',
    fc.array(answer, { maxLength: 4 }),
    async (answers) => {
      writeFileSync(join(folder, 'fumehood_helper'), LIAR);
      writeFileSync(join(folder, 'answers'), answers.map((one) => `${JSON.stringify(one)}\n`).join(''));
      const helper = createHelper({
        pythonDir: folder,
        python: '/usr/bin/python3',
        log: () => undefined,
        silenceMs: 10_000,
      });
      try {
        await helper.ask('network', {}).catch((error: unknown) => assert.ok(error instanceof Error));
      } finally {
        helper.close();
      }
    },
    { quick: 10, share: 0.0005 },
  );
});

/** A helper that answers whatever lies beside it, and ends. */
const LIAR = `import os, socket
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
channel.recv(65536)
channel.sendall(open(os.path.join(os.path.dirname(__file__), "answers"), "rb").read())
`;
