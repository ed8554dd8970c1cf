/** An OCI image layout (image-spec 1.1, image-layout.md, image-index.md, manifest.md, config.md), also with Docker's media types. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { badImage } from './root-path.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const INDEX_TYPES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFEST_TYPES = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const LAYER_TYPES: Readonly<Record<string, Compression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
};
const LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MOST_LAYERS = 128;
const DEEPEST_INDEX = 3;
const UNNAMED = 'unknown';

export type Compression = 'none' | 'gzip' | 'zstd';
export type Layer = { digest: string; sizeBytes: number; compression: Compression; diffId: string };
export type Platform = { os: string; architecture: string };
export type LayoutImage = {
  /** Digest of the manifest: the image's identity. */
  digest: string;
  layers: Layer[];
  env: string[];
  workingDir: string;
};

const Descriptor = z.object({
  mediaType: z.string().optional(),
  digest: z.string().regex(DIGEST, 'a sha256 digest'),
  size: z.number().int().min(0),
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
type Descriptor = z.infer<typeof Descriptor>;
const Index = z.object({ manifests: z.array(Descriptor).max(1000) });
const Manifest = z.object({
  config: Descriptor,
  layers: z.array(Descriptor).max(MOST_LAYERS, `more than ${MOST_LAYERS} layers`),
});
const Config = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(z.string().regex(DIGEST)) }),
  config: z.object({ Env: z.array(z.string()).nullish(), WorkingDir: z.string().nullish() }).nullish(),
});

/** Where a layout keeps the bytes of a digest. */
export const blobPath = (layout: string, digest: string): string =>
  join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length));

/** What Node calls the machine, in the words of images. */
export const hostPlatform = (arch: string): Platform => ({
  os: 'linux',
  architecture: arch === 'x64' ? 'amd64' : arch,
});

/** The one image of a layout that fits the platform. Its blobs must have been checked against their digests before. Throws `invalid`. */
export function readLayout(layout: string, platform: Platform): LayoutImage {
  const index = parse(Index, readFileSync(join(layout, 'index.json')), 'index.json');
  const found = unique(manifestsOf(layout, index.manifests, platform, 0));
  const manifest = parse(Manifest, readDocument(layout, found), 'the manifest');
  const config = parse(Config, readDocument(layout, manifest.config), 'the configuration');
  const made = `${config.os ?? platform.os}/${config.architecture ?? platform.architecture}`;
  if (made !== `${platform.os}/${platform.architecture}`)
    throw badImage(`it was made for ${made} and this host is ${platform.os}/${platform.architecture}`);
  if (config.rootfs.diff_ids.length !== manifest.layers.length)
    throw badImage('its configuration and its manifest name different numbers of layers');
  return {
    digest: found.digest,
    layers: manifest.layers.map((layer, at) => layerOf(layer, config.rootfs.diff_ids[at] ?? '')),
    env: config.config?.Env ?? [],
    workingDir: config.config?.WorkingDir ?? '',
  };
}

function layerOf({ mediaType = '', digest, size }: Descriptor, diffId: string): Layer {
  const compression = LAYER_TYPES[mediaType.replace('.nondistributable', '')];
  if (compression === undefined) throw badImage(`a layer has the type "${mediaType.slice(0, 100)}"`);
  return { digest, sizeBytes: size, compression, diffId };
}

/** Manifests for the platform, of nested indexes too; what names no platform of its own counts. */
function manifestsOf(layout: string, entries: Descriptor[], platform: Platform, depth: number): Descriptor[] {
  if (depth > DEEPEST_INDEX) throw badImage('its indexes are nested too deep');
  return entries.flatMap((entry) => {
    const { os, architecture } = entry.platform ?? platform;
    if (os === UNNAMED || os !== platform.os || architecture !== platform.architecture) return [];
    const type = entry.mediaType ?? '';
    if (MANIFEST_TYPES.has(type)) return [entry];
    if (!INDEX_TYPES.has(type)) return [];
    return manifestsOf(layout, parse(Index, readDocument(layout, entry), 'an index').manifests, platform, depth + 1);
  });
}

function unique(manifests: Descriptor[]): Descriptor {
  const [first, ...others] = manifests;
  if (first === undefined) throw badImage('it holds no image for this platform');
  if (others.some((other) => other.digest !== first.digest)) {
    const names = manifests.map(
      ({ annotations, digest }) => annotations?.['org.opencontainers.image.ref.name'] ?? digest,
    );
    throw badImage(
      `it holds several images (${names.slice(0, 5).join(', ').slice(0, 300)})`,
      'Copy the one that you mean into a layout of its own, as with "skopeo copy oci:DIR:NAME oci:OTHER".',
    );
  }
  return first;
}

function readDocument(layout: string, { digest, size }: Descriptor): Buffer {
  if (size > LARGEST_DOCUMENT_BYTES) throw badImage('one of its documents is too large');
  try {
    const bytes = readFileSync(blobPath(layout, digest));
    if (bytes.length === size) return bytes;
  } catch {
    throw badImage(`the content of ${digest} is not in it`);
  }
  throw badImage(`${digest} has not the size that is said`);
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw badImage(`${what} is not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badImage(`${what} is not as it must be (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`);
}
