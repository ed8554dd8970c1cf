import { z } from 'zod';
import type { Reader } from '#kernel/sql.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { type ModelVersion, modelObject, noSuchModel, noSuchVersion, type RegisteredModel } from './model.ts';
import {
  type ModelExtras,
  selectExtras,
  selectModel,
  selectModelsAfter,
  selectVersion,
  selectVersionsOf,
} from './model-store.ts';

const VersionView = z.object({
  version: z.string(),
  stage: z.string(),
  status: z.string(),
  runId: z.string(),
  source: z.string(),
  owner: z.string(),
  aliases: z.array(z.string()),
  tags: z.record(z.string(), z.string()),
  createdAt: z.string(),
});
const ModelView = z.object({
  name: z.string(),
  description: z.string(),
  owner: z.string(),
  labels: z.array(z.string()),
  aliases: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
  versions: z.array(VersionView),
  createdAt: z.string(),
  updatedAt: z.string(),
});
type ModelView = z.infer<typeof ModelView>;

type Deps = { labelsOf: (reader: Reader, nodes: NodeRef[]) => Promise<string[]> };

const pairs = (list: { key: string; value: string }[] = []): Record<string, string> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value]));

function viewModel(model: RegisteredModel, versions: ModelVersion[], extras: ModelExtras, labels: string[]): ModelView {
  const aliases = extras.aliases.get(model.name) ?? [];
  return {
    name: model.name,
    description: model.description,
    owner: model.owner,
    labels,
    aliases: Object.fromEntries(aliases.map(({ alias, version }) => [alias, String(version)])),
    tags: pairs(extras.tags.get(model.name)),
    versions: versions.map((version) => ({
      version: String(version.version),
      stage: version.stage,
      status: version.status,
      runId: version.runId,
      source: version.source,
      owner: version.owner,
      aliases: aliases.filter((one) => one.version === version.version).map(({ alias }) => alias),
      tags: pairs(extras.versionTags.get(`${model.name}/${version.version}`)),
      createdAt: new Date(version.createdMs).toISOString(),
    })),
    createdAt: new Date(model.createdMs).toISOString(),
    updatedAt: new Date(model.updatedMs).toISOString(),
  };
}

const nodesOf = (name: string, versions: ModelVersion[]): NodeRef[] => [
  { kind: 'model', id: name },
  ...versions.map((version): NodeRef => ({ kind: 'model', id: `${name}/${version.version}` })),
];

/** `GET /api/v1/models` and `/api/v1/models/NAME[/VERSION]`. */
export function modelRoutes(deps: Deps): Route[] {
  return [listRoute(deps), getRoute(deps)];
}

function listRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/models',
    action: 'model.list',
    resource: 'model',
    summary: 'Your own registered models by name; an officer sees those of all',
    query: z.object(pageQuery),
    response: pageOf(ModelView),
    handle: ({ query, identity, cross }) => {
      const everybody = identity.roles.includes('officer');
      return cross({
        object: { kind: 'model', id: '*' },
        ask: async () => [
          {
            action: 'model.list',
            resource: 'model',
            object: { type: 'model', id: '*', ...(everybody ? {} : { owner: identity.user }), labels: [] },
          },
        ],
        act: async (tx) => {
          const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
          const owner = everybody ? undefined : identity.user;
          const found = await selectModelsAfter(tx, { after, owner, limit: query.limit + 1 });
          const page = found.slice(0, query.limit);
          const names = page.map((model) => model.name);
          const versions = await selectVersionsOf(tx, names);
          const extras = await selectExtras(tx, names);
          const items: ModelView[] = [];
          for (const model of page) {
            const own = versions.filter((version) => version.name === model.name);
            items.push(viewModel(model, own, extras, await deps.labelsOf(tx, nodesOf(model.name, own))));
          }
          return { items, next: found.length > query.limit ? encodeCursor([page.at(-1)?.name ?? '']) : null };
        },
      });
    },
  });
}

function getRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/models/*name',
    action: 'model.read',
    resource: 'model',
    summary: 'One registered model with its versions, or one version of it',
    params: z.object({ name: z.string().min(1).max(300) }),
    response: ModelView,
    handle: ({ params, cross }) => {
      const [name = '', version] = params.name.split('/');
      let found: { model: RegisteredModel; versions: ModelVersion[]; labels: string[] } | undefined;
      return cross({
        object: { kind: 'model', id: params.name },
        ask: async (reader) => {
          found = await find(deps, reader, name, version);
          return [
            {
              action: 'model.read',
              resource: 'model',
              object: { ...modelObject(found.model, found.labels), id: params.name },
            },
          ];
        },
        act: async (tx) => {
          if (found === undefined) throw noSuchModel(name);
          return viewModel(found.model, found.versions, await selectExtras(tx, [name]), found.labels);
        },
      });
    },
  });
}

async function find(
  deps: Deps,
  reader: Reader,
  name: string,
  version: string | undefined,
): Promise<{ model: RegisteredModel; versions: ModelVersion[]; labels: string[] }> {
  const model = await selectModel(reader, name);
  if (model === undefined) throw noSuchModel(name);
  if (version === undefined) {
    const versions = await selectVersionsOf(reader, [name]);
    return { model, versions, labels: await deps.labelsOf(reader, nodesOf(name, versions)) };
  }
  const one = await selectVersion(reader, name, Number(version));
  if (one === undefined) throw noSuchVersion(name, Number(version));
  return { model, versions: [one], labels: await deps.labelsOf(reader, nodesOf(name, [one])) };
}
