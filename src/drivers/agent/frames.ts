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

/**
 * Splits a byte stream into frames; keeps at most one frame and one read in memory, and copies a byte once, however small the pieces in which an
 * agent sends. Throws an agent fault.
 */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
  let pieces: Buffer[] = [];
  let gathered = 0;
  let needed = HEADER_BYTES;
  return (chunk) => {
    pieces.push(chunk);
    gathered += chunk.length;
    const frames: Frame[] = [];
    if (gathered < needed) return frames;
    let bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces);
    for (;;) {
      const length = bytes.length < HEADER_BYTES ? 0 : frameLength(bytes);
      needed = HEADER_BYTES + length;
      if (bytes.length < needed) break;
      frames.push({ type: bytes.readUInt8(0), payload: bytes.subarray(HEADER_BYTES, needed) });
      bytes = bytes.subarray(needed);
    }
    pieces = bytes.length === 0 ? [] : [bytes];
    gathered = bytes.length;
    return frames;
  };
}

/** The length of the frame that begins here, once its header is found to be one. */
function frameLength(bytes: Buffer): number {
  const type = bytes.readUInt8(0);
  if (type !== FRAME_TYPES.json && type !== FRAME_TYPES.output && type !== FRAME_TYPES.error)
    throw agentFault('a frame of an unknown type');
  const length = bytes.readUInt32BE(1);
  if (length > LARGEST_FRAME_BYTES) throw agentFault('a frame that is too long');
  return length;
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
