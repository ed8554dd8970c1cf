import { z } from 'zod';
import { type Route, route } from '#src/http/route.ts';
import { type RotateDeps, rewrapAll } from './rotate-key.ts';

const Rotated = z.object({
  key: z.string(),
  version: z.number().describe('the version that wraps from now on'),
  rewrapped: z.number().describe('data keys that were wrapped anew'),
  retiring: z.array(z.number()).describe('versions that nothing needs; they are removed at the next start'),
});

/** `POST /api/v1/keys/rotate`. */
export function keyRoutes(deps: RotateDeps): Route[] {
  const { keys } = deps;
  return [
    route({
      method: 'POST',
      path: '/api/v1/keys/rotate',
      action: 'key.rotate',
      resource: 'secret',
      summary: 'Give the key of this home a new version and wrap all data keys anew',
      body: z.strictObject({}),
      response: Rotated,
      handle: async ({ cross }) => {
        const version = await cross({
          object: { kind: 'key', id: keys.keyName },
          ask: async () => [
            { action: 'key.rotate', resource: 'secret', object: { type: 'key', id: keys.keyName, labels: [] } },
          ],
          act: async (_tx, crossing) => {
            const fresh = await keys.rotate();
            crossing.detail('version', fresh);
            return fresh;
          },
        });
        const rewrapped = await rewrapAll(deps);
        const retiring = (await keys.versions()).filter((one) => one < version);
        return { key: keys.keyName, version, rewrapped, retiring };
      },
    }),
  ];
}
