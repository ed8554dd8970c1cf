import { z } from 'zod';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Page, type Route, route } from '#src/http/route.ts';
import { ImageDigest, ImageName, ImageView, viewImage } from './image.ts';
import { addImage, findImage, type ImagesDeps, policyObject, removeImage } from './manage-images.ts';

const Ref = z.object({ digest: ImageDigest });
const AddedView = ImageView.extend({ added: z.boolean().describe('false: it was here already') });
const resource = 'environment' as const;

/** The REST routes about images. */
export const imageRoutes = (deps: ImagesDeps): Route[] => [
  route({
    method: 'PUT',
    path: '/api/v1/images',
    action: 'image.add',
    resource,
    summary: 'Add an image: the body is a tar of an OCI image layout',
    query: z.object({ name: ImageName.default('image') }) as unknown as z.ZodType<{ name: string }>,
    response: AddedView,
    bodyKind: 'raw',
    handle: async ({ query, identity, requestId, raw }) => {
      const { image, added } = await addImage(deps, { identity, requestId, name: query.name, body: raw.request });
      return { ...viewImage(image), added };
    },
  }),
  ...lookRoutes(deps),
  route({
    method: 'DELETE',
    path: '/api/v1/images/:digest',
    action: 'image.delete',
    resource,
    summary: 'Remove an image that no sandbox uses',
    params: Ref,
    query: z.object({ dryRun: z.stringbool().default(false) }) as unknown as z.ZodType<{ dryRun: boolean }>,
    response: ImageView,
    handle: async ({ params, query, identity, requestId }) =>
      viewImage(await removeImage(deps, { identity, requestId, ...params, ...query })),
  }),
];

function lookRoutes({ files }: ImagesDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/images',
      action: 'image.list',
      resource,
      summary: 'Images by digest',
      query: z.object(pageQuery),
      response: pageOf(ImageView),
      handle: ({ query, cross }) =>
        cross<Page<ImageView>>({
          object: { kind: 'image', id: '*' },
          ask: async () => [{ action: 'image.list', resource, object: { type: 'image', id: '*', labels: [] } }],
          act: async () => {
            const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0] ?? '');
            const found = files
              .list()
              .filter(({ digest }) => digest > after)
              .sort((a, b) => (a.digest < b.digest ? -1 : 1));
            const items = found.slice(0, query.limit).map(viewImage);
            const last = found.length > query.limit ? items.at(-1) : undefined;
            return { items, next: last === undefined ? null : encodeCursor([last.digest]) };
          },
        }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/images/:digest',
      action: 'image.read',
      resource,
      summary: 'One image',
      params: Ref,
      response: ImageView,
      handle: ({ params, cross }) =>
        cross({
          object: { kind: 'image', id: params.digest },
          ask: async () => [{ action: 'image.read', resource, object: policyObject(findImage(files, params.digest)) }],
          act: async () => viewImage(findImage(files, params.digest)),
        }),
    }),
  ];
}
