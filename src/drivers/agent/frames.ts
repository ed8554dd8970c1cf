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
 * Splits a byte stream into frames. Bytes of output and error are given as they come, in parts of their frame, without being copied; an
 * empty payload is an empty frame. Of JSON at most one frame is kept. Throws an agent fault.
 */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
  let header: Buffer = Buffer.alloc(0);
  let open: { type: number; left: number; parts: Buffer[] } | undefined;
  const take = (chunk: Buffer, frames: Frame[]): Buffer => {
    if (open === undefined) {
      const missing = HEADER_BYTES - header.length;
      header = header.length === 0 ? chunk.subarray(0, missing) : Buffer.concat([header, chunk.subarray(0, missing)]);
      if (header.length === HEADER_BYTES) {
        open = { ...openingOf(header), parts: [] };
        header = Buffer.alloc(0);
        if (open.left === 0) {
          frames.push({ type: open.type, payload: Buffer.alloc(0) });
          open = undefined;
        }
      }
      return chunk.subarray(missing);
    }
    const part = chunk.subarray(0, open.left);
    open.left -= part.length;
    if (open.type !== FRAME_TYPES.json) frames.push({ type: open.type, payload: part });
    else open.parts.push(part);
    if (open.left === 0) {
      if (open.type === FRAME_TYPES.json) frames.push({ type: open.type, payload: Buffer.concat(open.parts) });
      open = undefined;
    }
    return chunk.subarray(part.length);
  };
  return (chunk) => {
    const frames: Frame[] = [];
    let rest = chunk;
    while (rest.length > 0) rest = take(rest, frames);
    return frames;
  };
}

function openingOf(header: Buffer): { type: number; left: number } {
  const type = header.readUInt8(0);
  const left = header.readUInt32BE(1);
  if (type !== FRAME_TYPES.json && type !== FRAME_TYPES.output && type !== FRAME_TYPES.error)
    throw agentFault('a frame of an unknown type');
  if (left > LARGEST_FRAME_BYTES) throw agentFault('a frame that is too long');
  return { type, left };
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
