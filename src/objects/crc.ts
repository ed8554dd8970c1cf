/** CRC-32C (Castagnoli) and CRC-64/NVME, which Node does not have: reflected, table by byte. */
import type { Checksum } from './checksum.ts';

const CRC32C_POLYNOMIAL = 0x82f63b78;
/** The reflected polynomial of CRC-64/NVME, as two halves. */
const CRC64_HIGH = 0x9a6c9329;
const CRC64_LOW = 0xac4bc9b5;

const byte = (chunk: Uint8Array, at: number): number => chunk[at] as number;
const look = (table: Int32Array, index: number): number => table[index] as number;

const CRC32C_TABLES = crc32cTables();
const { high: HIGH, low: LOW } = crc64Tables();

/** CRC-32C, four bytes a step. */
export function createCrc32c(): Checksum {
  let crc = 0xffffffff;
  const [t0, t1, t2, t3] = CRC32C_TABLES;
  return {
    update: (chunk) => {
      let value = crc;
      let at = 0;
      for (const whole = chunk.length - 3; at < whole; at += 4) {
        value ^=
          byte(chunk, at) | (byte(chunk, at + 1) << 8) | (byte(chunk, at + 2) << 16) | (byte(chunk, at + 3) << 24);
        value =
          look(t3, value & 255) ^
          look(t2, (value >>> 8) & 255) ^
          look(t1, (value >>> 16) & 255) ^
          look(t0, value >>> 24);
      }
      for (; at < chunk.length; at += 1) value = (value >>> 8) ^ look(t0, (value ^ byte(chunk, at)) & 255);
      crc = value;
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
      return bytes;
    },
  };
}

/** CRC-64/NVME in two 32-bit halves. */
export function createCrc64nvme(): Checksum {
  let high = -1;
  let low = -1;
  return {
    update: (chunk) => {
      let h = high;
      let l = low;
      for (let at = 0; at < chunk.length; at += 1) {
        const index = (l ^ byte(chunk, at)) & 255;
        l = ((l >>> 8) | (h << 24)) ^ look(LOW, index);
        h = (h >>> 8) ^ look(HIGH, index);
      }
      high = h;
      low = l;
    },
    digest: () => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(~high >>> 0, 0);
      bytes.writeUInt32BE(~low >>> 0, 4);
      return bytes;
    },
  };
}

function crc32cTables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables: [Int32Array, Int32Array, Int32Array, Int32Array] = [
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
  ];
  for (let index = 0; index < 256; index += 1) {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ CRC32C_POLYNOMIAL : value >>> 1;
    tables[0][index] = value;
  }
  for (let index = 0; index < 256; index += 1) {
    for (let step = 1; step < 4; step += 1) {
      const previous = look(tables[step - 1] as Int32Array, index);
      (tables[step] as Int32Array)[index] = (previous >>> 8) ^ look(tables[0], previous & 255);
    }
  }
  return tables;
}

function crc64Tables(): { high: Int32Array; low: Int32Array } {
  const highs = new Int32Array(256);
  const lows = new Int32Array(256);
  for (let index = 0; index < 256; index += 1) {
    let high = 0;
    let low = index;
    for (let bit = 0; bit < 8; bit += 1) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= CRC64_LOW;
        high ^= CRC64_HIGH;
      }
    }
    highs[index] = high;
    lows[index] = low;
  }
  return { high: highs, low: lows };
}
