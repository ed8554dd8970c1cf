import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import type { SandboxSpec } from './sandbox.ts';
import type { ResolvedDataset, SandboxDefaults, SandboxDeps } from './sandbox-deps.ts';
import { parseEgress, type SandboxRequest } from './sandbox-request.ts';

/** A request with its names looked up and its defaults filled in. */
export type Resolved = {
  spec: SandboxSpec;
  datasets: ResolvedDataset[];
  granted: PolicyObject[];
  image: ResolvedImage;
};

type ResolvedImage = NonNullable<ReturnType<SandboxDeps['images']['find']>> | null;

/** Throws `not_found`, `invalid`. */
export async function resolveRequest(deps: SandboxDeps, reader: Reader, request: SandboxRequest): Promise<Resolved> {
  const environment =
    request.environment === undefined ? null : await deps.environments.find(reader, request.environment);
  if (environment === undefined) {
    throw new AppError('not_found', `There is no environment "${request.environment}".`, {
      details: {
        field: 'environment',
        hint: 'See "fumehood environment list", or make it with "fumehood environment create".',
      },
    });
  }
  const image = resolveImage(deps, request.image, environment !== null);
  const datasets: ResolvedDataset[] = [];
  for (const mount of request.mounts ?? []) datasets.push(await resolveMount(deps, reader, mount));
  const grants = await Promise.all((request.grants ?? []).map((grant) => deps.grants.resolve(reader, grant)));
  const scopes = grants.flatMap((grant) => grant.scopes);
  return {
    datasets,
    granted: grants.map((grant) => grant.object),
    image,
    spec: {
      ...sizesOf(request, deps.defaults),
      environment,
      mounts: datasets.map(mountOf),
      ...restOf(request, deps.defaults),
      scopes: scopes.length > 0 ? scopes : ['*'],
      image: image === null ? null : { digest: image.digest, name: image.name, workingDir: image.workingDir },
    },
  };
}

function sizesOf(
  request: SandboxRequest,
  defaults: SandboxDefaults,
): Pick<SandboxSpec, 'memoryBytes' | 'cpus' | 'diskBytes' | 'pids' | 'gpus' | 'ttlMs' | 'idleMs'> {
  const ttlMs = request.ttl ?? defaults.ttlMs;
  if (ttlMs > defaults.maxTtlMs) {
    throw new AppError('invalid', `A sandbox lives at most ${Math.round(defaults.maxTtlMs / 60_000)} minutes here.`, {
      details: { field: 'ttl', hint: 'Ask for less, or ask an operator to raise sandbox.maxTtl.' },
    });
  }
  return {
    memoryBytes: request.memory ?? defaults.memoryBytes,
    cpus: request.cpus ?? defaults.cpus,
    diskBytes: request.disk ?? defaults.diskBytes,
    pids: request.pids ?? defaults.pids,
    gpus: request.gpus ?? 0,
    ttlMs,
    idleMs: request.idle ?? defaults.idleMs,
  };
}

function restOf(
  request: SandboxRequest,
  defaults: SandboxDefaults,
): Pick<SandboxSpec, 'egress' | 'grants' | 'purpose' | 'runtime'> {
  return {
    egress: (request.egress ?? []).map(parseEgress),
    grants: request.grants ?? [],
    purpose: request.purpose ?? '',
    runtime: request.runtime ?? defaults.runtime,
  };
}

function resolveImage(deps: SandboxDeps, digest: string | undefined, withEnvironment: boolean): ResolvedImage {
  if (digest === undefined) return null;
  const image = deps.images.find(digest);
  if (image === undefined) {
    throw new AppError('not_found', `There is no image ${digest} here.`, {
      details: { field: 'image', hint: 'Add it with "fumehood image add FOLDER"; see "fumehood image list".' },
    });
  }
  if (withEnvironment && !image.fitsEnvironments) {
    throw new AppError(
      'invalid',
      'An environment runs on the Python that it was made for, and this image lacks that one.',
      {
        details: {
          field: 'environment',
          hint: 'Leave the environment out, or use an image with the Python of this host.',
        },
      },
    );
  }
  return image;
}

async function resolveMount(deps: SandboxDeps, reader: Reader, text: string): Promise<ResolvedDataset> {
  const [name = '', version] = text.split('@');
  const dataset = await deps.datasets.find(reader, name, version);
  if (dataset === undefined) {
    throw new AppError('not_found', `There is no data set "${text}".`, {
      details: { field: 'mounts', hint: 'See "fumehood dataset list".' },
    });
  }
  return dataset;
}

const mountOf = (dataset: ResolvedDataset): SandboxSpec['mounts'][number] => ({
  dataset: dataset.name,
  version: dataset.version,
  digest: dataset.digest,
  tags: dataset.tags,
  target: `/data/${dataset.name}`,
});
