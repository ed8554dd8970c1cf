/** What goes over the wire as bytes: sent in any of these forms, received as a stream. */
export type Bytes = ReadableStream<Uint8Array> | Uint8Array | string;
/** A stream of JSON lines, each of this type. */
export type Lines<Line> = { readonly line: Line };
