import { at } from '../api-client.ts';
import type { Command } from '../command.ts';
import { pageFlags, printList } from './paging.ts';

const digest = { name: 'DIGEST', help: 'sha256:… of an image' } as const;

/** `fumehood image`. */
export const image: readonly Command[] = [
  {
    verb: 'add',
    summary: 'Send an OCI image layout, to be the root of sandboxes',
    details: 'PATH is a folder, as "skopeo copy … oci:PATH" writes it, or a tar of one.',
    example: 'fumehood image add ./layout --name python-3.12',
    args: [{ name: 'PATH', help: 'the layout' }],
    flags: [{ name: 'name', value: 'NAME', help: 'how lists call it; else the name of the folder' }],
    run: async (context) => {
      const { sendImage } = await import('../send-image.ts');
      context.out.item(await sendImage(context, context.arg('PATH'), context.text('name')));
      return undefined;
    },
  },
  {
    verb: 'list',
    summary: 'Images by digest',
    example: 'fumehood image list',
    flags: pageFlags,
    run: (context) =>
      printList(context, at('images'), {}, [
        ['NAME', 'name'],
        ['DIGEST', 'digest'],
        ['OWNER', 'owner'],
        ['SIZE', 'sizeBytes'],
        ['ADDED', 'addedAt'],
      ]),
  },
  {
    verb: 'get',
    summary: 'One image',
    example: 'fumehood image get sha256:…',
    args: [digest],
    run: async (context) => {
      context.out.item(await context.api.send('GET', at('images', context.arg('DIGEST'))));
      return undefined;
    },
  },
  {
    verb: 'delete',
    summary: 'Remove an image that no sandbox uses',
    example: 'fumehood image delete sha256:… --yes',
    args: [digest],
    flags: [{ name: 'dry-run', help: 'say what would be done, and do nothing' }],
    run: async (context) => {
      const dryRun = context.on('dry-run');
      if (!dryRun) await context.confirm(`Delete the image ${context.arg('DIGEST')}?`);
      const query = { dryRun: dryRun || undefined };
      context.out.item(await context.api.send('DELETE', at('images', context.arg('DIGEST')), { query }));
      return undefined;
    },
  },
];
