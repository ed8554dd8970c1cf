import { z } from 'zod';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Page, type Route, route } from '#src/http/route.ts';
import { type Added, addDataset } from './add-dataset.ts';
import { deleteDataset, findVersion, tagDataset } from './change-dataset.ts';
import {
  DATASET_BUCKET,
  type DatasetFile,
  DatasetName,
  DatasetView,
  policyObject,
  prefixOf,
  viewDataset,
} from './dataset.ts';
import { askForCatalogue } from './dataset-bucket.ts';
import { selectLatest, selectVersions } from './dataset-store.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { abortDatasetUpload, beginDatasetUpload, putDatasetFile } from './upload-dataset.ts';

const Named = z.object({ name: DatasetName });
const Version = z.object({ name: DatasetName, version: z.coerce.number().int().min(1) });
type Version = z.infer<typeof Version>;
const Upload = z.object({ id: z.string().min(1).max(128) });
const UploadFile = Upload.extend({ path: z.string().min(1).max(4096) });
const Tags = z.object({ tags: z.array(z.string().min(1).max(64)).max(32) });
const FileView = z.object({ path: z.string(), sizeBytes: z.number().int(), digest: z.string() });
const UploadView = z.object({ id: z.string(), name: z.string(), tags: z.array(z.string()) });
const AddedView = DatasetView.extend({ added: z.boolean().describe('false: this is the latest version already') });
const PageQuery = z.object(pageQuery);
type PageQuery = z.infer<typeof PageQuery>;

const viewAdded = ({ version, added }: Added) => ({ ...viewDataset(version), added });

/** The REST routes about data sets. */
export const datasetRoutes = (deps: DatasetsDeps): Route[] => [
  ...lookRoutes(deps),
  ...uploadRoutes(deps),
  ...changeRoutes(deps),
];

function lookRoutes(deps: DatasetsDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/datasets',
      action: 'dataset.list',
      resource: 'data',
      summary: 'List data sets, each with its latest version',
      query: PageQuery as unknown as z.ZodType<PageQuery>,
      response: pageOf(DatasetView),
      handle: ({ query, cross }) =>
        cross<Page<DatasetView>>({
          object: { kind: 'dataset', id: '*' },
          ask: async () => [askForCatalogue()],
          act: async (tx) => {
            const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0] ?? '');
            const found = await selectLatest(tx, after, query.limit + 1);
            const items = found.slice(0, query.limit).map(viewDataset);
            const last = found.length > query.limit ? items.at(-1) : undefined;
            return { items, next: last === undefined ? null : encodeCursor([last.name]) };
          },
        }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/datasets/:name',
      action: 'dataset.read',
      resource: 'data',
      summary: 'The latest version of a data set',
      params: Named,
      response: DatasetView,
      handle: ({ params, cross }) =>
        cross({
          object: { kind: 'dataset', id: params.name, name: params.name },
          ask: async (reader) => [
            {
              action: 'dataset.read',
              resource: 'data' as const,
              object: policyObject(await findVersion(reader, params.name)),
            },
          ],
          act: async (tx) => viewDataset(await findVersion(tx, params.name)),
        }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/datasets/:name/versions',
      action: 'dataset.read',
      resource: 'data',
      summary: 'The versions of a data set, the latest first',
      params: Named,
      response: pageOf(DatasetView),
      handle: ({ params, cross }) =>
        cross<Page<DatasetView>>({
          object: { kind: 'dataset', id: params.name, name: params.name },
          ask: async (reader) => [
            { action: 'dataset.read', resource: 'data', object: policyObject(await findVersion(reader, params.name)) },
          ],
          act: async (tx) => ({ items: (await selectVersions(tx, params.name)).map(viewDataset), next: null }),
        }),
    }),
    versionRoute(),
    filesRoute(deps),
  ];
}

function versionRoute(): Route {
  return route({
    method: 'GET',
    path: '/api/v1/datasets/:name/versions/:version',
    action: 'dataset.read',
    resource: 'data',
    summary: 'One version of a data set',
    params: Version as unknown as z.ZodType<Version>,
    response: DatasetView,
    handle: ({ params, cross }) =>
      cross({
        object: { kind: 'dataset', id: `${params.name}@${params.version}`, name: params.name },
        ask: async (reader) => [
          {
            action: 'dataset.read',
            resource: 'data' as const,
            object: policyObject(await findVersion(reader, params.name, params.version)),
          },
        ],
        act: async (tx) => viewDataset(await findVersion(tx, params.name, params.version)),
      }),
  });
}

function filesRoute(deps: DatasetsDeps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/datasets/:name/versions/:version/files',
    action: 'data.list',
    resource: 'data',
    summary: 'The files of a version: names can carry data, so this asks as for reading',
    params: Version as unknown as z.ZodType<Version>,
    response: pageOf(FileView),
    handle: ({ params, cross }) =>
      cross<Page<DatasetFile>>({
        object: { kind: 'dataset', id: `${params.name}@${params.version}`, name: params.name },
        ask: async (reader) => [
          {
            action: 'data.list',
            resource: 'data',
            object: policyObject(await findVersion(reader, params.name, params.version)),
          },
        ],
        act: async (tx) => {
          const prefix = prefixOf(params);
          const files = await deps.shelf.files(tx, DATASET_BUCKET, prefix);
          const items = files.map(({ key, sizeBytes, digest }) => ({
            path: key.slice(prefix.length),
            sizeBytes,
            digest,
          }));
          return { items, next: null };
        },
      }),
  });
}

function uploadRoutes(deps: DatasetsDeps): Route[] {
  const action = { action: 'dataset.create', resource: 'data' } as const;
  return [
    route({
      ...action,
      method: 'POST',
      path: '/api/v1/datasets/:name/uploads',
      summary: 'Begin to add a version',
      params: Named,
      body: Tags,
      response: UploadView,
      status: 201,
      handle: async ({ params, body, identity, requestId }) => {
        const { uploadId, name, tags } = await beginDatasetUpload(deps, { identity, requestId, ...params, ...body });
        return { id: uploadId, name, tags };
      },
    }),
    route({
      ...action,
      method: 'PUT',
      path: '/api/v1/dataset-uploads/:id/files/*path',
      summary: 'Send one file of the version, as it is',
      params: UploadFile,
      response: FileView,
      bodyKind: 'raw',
      handle: ({ params, identity, requestId, raw }) => {
        const length = raw.request.headers['content-length'];
        const upload = { identity, requestId, uploadId: params.id, path: params.path, body: raw.request };
        return putDatasetFile(deps, length === undefined ? upload : { ...upload, contentLength: Number(length) });
      },
    }),
    route({
      ...action,
      method: 'POST',
      path: '/api/v1/dataset-uploads/:id/finish',
      summary: 'Make what was sent a version, whole or not at all',
      params: Upload,
      response: AddedView,
      handle: async ({ params, identity, requestId }) =>
        viewAdded(await addDataset(deps, { identity, requestId, uploadId: params.id })),
    }),
    route({
      ...action,
      method: 'DELETE',
      path: '/api/v1/dataset-uploads/:id',
      summary: 'Give an upload up',
      params: Upload,
      response: z.undefined(),
      status: 204,
      handle: ({ params, identity, requestId }) =>
        abortDatasetUpload(deps, { identity, requestId, uploadId: params.id }),
    }),
  ];
}

function changeRoutes(deps: DatasetsDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/datasets/:name/versions/:version/tags',
      action: 'dataset.update',
      resource: 'data',
      summary: 'Add tags to a version; none is ever taken off here',
      params: Version as unknown as z.ZodType<Version>,
      body: Tags,
      response: DatasetView,
      handle: async ({ params, body, identity, requestId }) =>
        viewDataset(await tagDataset(deps, { identity, requestId, ...params, ...body })),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/datasets/:name/versions/:version',
      action: 'dataset.delete',
      resource: 'data',
      summary: 'Remove a version that no sandbox has mounted',
      params: Version as unknown as z.ZodType<Version>,
      response: z.undefined(),
      status: 204,
      handle: ({ params, identity, requestId }) => deleteDataset(deps, { identity, requestId, ...params }),
    }),
  ];
}
