/** The routes that carry bytes of a sandbox: exec, the warm interpreter and files. */
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Session } from '#src/drivers/driver.ts';
import { type Route, route } from '#src/http/route.ts';
import { serveExec } from '#src/http/serve-exec.ts';
import { type WebSocketRoute, webSocketRoute } from '#src/http/websocket-route.ts';
import { ExecRequest, execInSandbox, PythonRequest, runPythonInSandbox } from './exec-in-sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { FilePath, Ref } from './sandbox-paths.ts';
import { openSession, type Use } from './use-sandbox.ts';
import { watchFilesRoute } from './watch-files-route.ts';

const FileInfo = z.object({
  name: z.string(),
  kind: z.string(),
  sizeBytes: z.number(),
  mode: z.number(),
  modifiedMs: z.number(),
});

/** WebSocket routes: `exec` and `python`. The first frame is the request, then streams flow both ways. */
export function sandboxStreamRoutes(deps: SandboxDeps): WebSocketRoute[] {
  return [
    webSocketRoute({
      path: '/api/v1/sandboxes/:id/exec',
      action: 'sandbox.exec',
      resource: 'sandbox',
      summary: 'Run a command in a sandbox',
      params: Ref,
      start: ExecRequest,
      handle: async ({ params, identity, requestId, start, channel }) => {
        await serveExec(channel, await execInSandbox(deps, { identity, requestId, ref: params.id }, start));
      },
    }),
    webSocketRoute({
      path: '/api/v1/sandboxes/:id/python',
      action: 'sandbox.exec',
      resource: 'sandbox',
      summary: 'Run Python source in the warm interpreter of a sandbox',
      params: Ref,
      start: PythonRequest,
      handle: async ({ params, identity, requestId, start, channel }) => {
        await serveExec(channel, await runPythonInSandbox(deps, { identity, requestId, ref: params.id }, start));
      },
    }),
  ];
}

type FileUse = 'list' | 'read' | 'write' | 'remove';

/** The files of a sandbox, for one use of one path, which the entry names. */
async function openFiles(deps: SandboxDeps, use: Use, what: FileUse, path: string): Promise<Session['files']> {
  const { session } = await openSession(deps, use, 'sandbox.files', async (_tx, crossing) => {
    crossing.detail('use', what);
    crossing.detail('path', path);
  });
  return session.files;
}

/** File routes: contents are streamed, paths are resolved inside the wall by the agent. */
export function sandboxFileRoutes(deps: SandboxDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/sandboxes/:id/files',
      action: 'sandbox.files',
      resource: 'sandbox',
      summary: 'List a folder of a sandbox',
      params: Ref,
      query: FilePath,
      response: z.object({ items: z.array(FileInfo), next: z.null() }),
      handle: async ({ params, query, identity, requestId }) => {
        const files = await openFiles(deps, { identity, requestId, ref: params.id }, 'list', query.path);
        return { items: await files.list(query.path), next: null };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/sandboxes/:id/files/content',
      action: 'sandbox.files',
      resource: 'sandbox',
      summary: 'Read a file of a sandbox',
      params: Ref,
      query: FilePath,
      response: 'stream',
      handle: async ({ params, query, identity, requestId, raw }) => {
        const files = await openFiles(deps, { identity, requestId, ref: params.id }, 'read', query.path);
        const info = await files.stat(query.path);
        if (info.kind !== 'file') {
          throw new AppError('invalid', `${query.path} is a ${info.kind}, not a file.`, {
            details: { field: 'path', hint: 'Name a regular file.' },
          });
        }
        const content = await files.read(query.path);
        raw.response.writeHead(200, { 'content-type': 'application/octet-stream' });
        await pipeline(content, raw.response);
        return undefined;
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/sandboxes/:id/files/content',
      action: 'sandbox.files',
      resource: 'sandbox',
      summary: 'Write a file of a sandbox; a whole new file or none',
      params: Ref,
      query: FilePath.extend({
        mode: z
          .string()
          .regex(/^[0-7]{3,4}$/)
          .optional(),
        parents: z.stringbool().default(false).describe('make the folders on the way'),
      }),
      bodyKind: 'raw',
      response: z.object({ path: z.string(), sizeBytes: z.number() }),
      handle: async ({ params, query, identity, requestId, raw }) => {
        const files = await openFiles(deps, { identity, requestId, ref: params.id }, 'write', query.path);
        const mode = query.mode === undefined ? {} : { mode: Number.parseInt(query.mode, 8) };
        if (query.parents) await files.makeDirectory(posix.dirname(query.path));
        const { sizeBytes } = await files.write(query.path, raw.request, mode);
        return { path: query.path, sizeBytes };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/sandboxes/:id/files',
      action: 'sandbox.files',
      resource: 'sandbox',
      summary: 'Remove a file or a folder of a sandbox',
      params: Ref,
      query: FilePath.extend({ recursive: z.stringbool().default(false) }),
      response: z.object({ path: z.string() }),
      handle: async ({ params, query, identity, requestId }) => {
        const files = await openFiles(deps, { identity, requestId, ref: params.id }, 'remove', query.path);
        await files.remove(query.path, { recursive: query.recursive });
        return { path: query.path };
      },
    }),
    watchFilesRoute(deps),
  ];
}
