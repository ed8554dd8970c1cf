/** For tests: tar streams byte by byte, also such as no honest tool writes, and image layouts made of them. */
import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { hostPlatform } from './oci-layout.ts';

export type TestEntry = {
  name: string;
  type?: string;
  linkName?: string;
  content?: string | Buffer;
  mode?: number;
  mtime?: number;
  /** What the header says, where that is not the content's size. */
  size?: number;
  /** Records of an extended header before it. */
  pax?: Record<string, string>;
};

const BLOCK = 512;

/** A tar of these entries, in this order. */
export const tarOf = (entries: readonly TestEntry[]): Buffer =>
  Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * BLOCK)]);

function blocksOf(entry: TestEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  const before = entry.pax === undefined ? [] : blocksOf({ name: 'pax', type: 'x', content: paxOf(entry.pax) });
  return [
    ...before,
    headerOf(entry, content.length),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ];
}

function paxOf(records: Record<string, string>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (String(length).length + rest !== length) length += 1;
    return `${length} ${key}=${value}\n`;
  });
  return Buffer.from(lines.join(''));
}

function headerOf(
  { name, type = '0', linkName = '', mode = 0o644, mtime = 0, size }: TestEntry,
  length: number,
): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void =>
    void block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  block.write(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size ?? length, 124, 12);
  octal(mtime, 136, 12);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(linkName, 157, 100);
  block.write('ustar\x0000', 257);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** Something that passes for the machine's Python until it is run. */
export const pythonStub: TestEntry = {
  name: 'usr/bin/python3.12',
  mode: 0o755,
  content: (() => {
    const header = Buffer.alloc(64);
    header.write('\x7fELF', 0, 'latin1');
    header.writeUInt16LE(process.arch === 'arm64' ? 183 : 62, 18);
    return header;
  })(),
};
export const pythonLink: TestEntry = { name: 'usr/bin/python3', type: '2', linkName: 'python3.12' };

export type LayoutOptions = {
  compression?: 'none' | 'gzip' | 'zstd';
  docker?: boolean;
  env?: string[];
  workingDir?: string;
  architecture?: string;
  diffIds?: string[];
  /** Changes the files before they are packed. */
  change?: (files: Map<string, Buffer>) => void;
};

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const pack = {
  none: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
};

/** The tar of a layout whose image has these layers. */
export function layoutOf(layers: readonly Buffer[], options: LayoutOptions = {}): { tar: Buffer; digest: string } {
  const files = new Map<string, Buffer>();
  const blob = (bytes: Buffer, mediaType: string) => {
    files.set(`blobs/sha256/${sha256(bytes).slice(7)}`, bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const compression = options.compression ?? 'gzip';
  const suffix = compression === 'none' ? '' : `${options.docker === true ? '.' : '+'}${compression}`;
  const layerType =
    options.docker === true ? 'application/vnd.docker.image.rootfs.diff.tar' : 'application/vnd.oci.image.layer.v1.tar';
  const config = blob(
    json({
      os: 'linux',
      architecture: options.architecture ?? hostPlatform(process.arch).architecture,
      rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map(sha256) },
      config: {
        Env: options.env ?? null,
        WorkingDir: options.workingDir ?? '',
        User: 'root',
        Entrypoint: ['/bin/evil'],
      },
    }),
    options.docker === true
      ? 'application/vnd.docker.container.image.v1+json'
      : 'application/vnd.oci.image.config.v1+json',
  );
  const manifestType =
    options.docker === true
      ? 'application/vnd.docker.distribution.manifest.v2+json'
      : 'application/vnd.oci.image.manifest.v1+json';
  const descriptors = layers.map((layer) => blob(pack[compression](layer), `${layerType}${suffix}`));
  const manifest = blob(json({ schemaVersion: 2, mediaType: manifestType, config, layers: descriptors }), manifestType);
  files.set('index.json', json({ schemaVersion: 2, manifests: [manifest] }));
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  options.change?.(files);
  return { tar: tarOf([...files].map(([name, content]) => ({ name, content }))), digest: manifest.digest };
}

/** The bytes as a stream, in chunks of an awkward size. */
export async function* streamOf(bytes: Buffer, chunk = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
}
