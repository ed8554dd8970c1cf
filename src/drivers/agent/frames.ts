/** The agent's wire format. All that arrives is hostile: lengths, types and JSON are bounded and checked before they are used. */
import { AppError } from '#kernel/errors.ts';

export const FRAME_TYPES = { json: 0x4a, input: 0x49, output: 0x4f, error: 0x45 } as const;
export type Frame = { type: number; payload: Buffer };

export const LARGEST_FRAME_BYTES = 256 * 1024;
const LARGEST_JSON_BYTES = 256 * 1024;
const HEADER_BYTES = 5;

/** Something that an honest agent would not have said. */
export const agentFault = (what: string, cause?: unknown): AppError =>
  new AppError('unavailable', `The sandbox's agent broke its protocol: ${what}.`, {
    details: { hint: 'Nothing that it says is believed any more; delete this sandbox and make a new one.' },
    ...(cause === undefined ? {} : { cause }),
  });

export function encodeFrame(type: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(payload.length, 1);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

export const encodeJson = (value: unknown): Buffer => encodeFrame(FRAME_TYPES.json, Buffer.from(JSON.stringify(value)));

/** Splits a byte stream into frames; keeps at most one frame and one read in memory. Throws an agent fault. */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    while (bytes.length >= HEADER_BYTES) {
      const type = bytes.readUInt8(0);
      const length = bytes.readUInt32BE(1);
      if (type !== FRAME_TYPES.json && type !== FRAME_TYPES.output && type !== FRAME_TYPES.error)
        throw agentFault('a frame of an unknown type');
      if (length > LARGEST_FRAME_BYTES) throw agentFault('a frame that is too long');
      if (bytes.length < HEADER_BYTES + length) break;
      frames.push({ type, payload: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) });
      bytes = bytes.subarray(HEADER_BYTES + length);
    }
    rest = bytes;
    return frames;
  };
}

/** A JSON object out of a frame. Throws an agent fault. */
export function decodeJson(payload: Buffer): Record<string, unknown> {
  if (payload.length > LARGEST_JSON_BYTES) throw agentFault('JSON that is too long');
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw agentFault('JSON that cannot be read', error);
  }
  throw agentFault('JSON that is no object');
}
