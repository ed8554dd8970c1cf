/**
 * Gives the memory of bytes back at once, when they are all of their buffer: waiting for the collector, a fast stream would pile up
 * dozens of frames. Nobody may hold them any more.
 */
export function freeNow(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) bytes.buffer.transfer(0);
}
