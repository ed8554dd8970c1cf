import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DoorRoute, Exchange } from '#src/gateway/door.ts';
import type { Objects } from '#src/objects/create-objects.ts';
import type { Caller } from '#src/objects/object.ts';
import type { ChunkSigning } from './aws-chunked.ts';
import { wireError } from './s3-error.ts';
import type { S3Request } from './s3-request.ts';

/** One operation in progress. */
export type Call = {
  objects: Objects;
  request: S3Request;
  caller: Caller;
  message: IncomingMessage;
  response: ServerResponse;
  signing: ChunkSigning | undefined;
  /** Accounts for bytes of the body that are kept in memory. */
  hold: Exchange['hold'];
  /** Sends XML with status 200. */
  xml(text: string): void;
  /** Sends no body. */
  empty(status: number): void;
};

/** A row of the door's table: it is taken when the request has all of its query names and headers. */
export type S3Route = DoorRoute & {
  query?: readonly string[];
  header?: string;
  /** True when a read-only key may use it. */
  reads: boolean;
  run(call: Call): Promise<void>;
};

/** Query names that choose an operation: one of these without a row of its own is an operation that is not offered. */
const SUBRESOURCES = new Set(
  `accelerate acl analytics append attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle location
   logging metadataConfiguration metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock
   renameObject replication requestPayment restore retention select session tagging torrent uploads uploadId versioning
   versions website`.split(/\s+/),
);

const pathOf = (request: S3Request): string => {
  if (request.bucket === '') return '/';
  return request.key === '' ? '/:bucket' : '/:bucket/*key';
};

/** The row for a request; throws MethodNotAllowed or NotImplemented when there is none. */
export function chooseRoute(routes: readonly S3Route[], request: S3Request): S3Route {
  const path = pathOf(request);
  const asked = [...request.query.keys()].filter((name) => SUBRESOURCES.has(name));
  const version = request.query.get('versionId');
  if (version !== undefined && version !== 'null') {
    throw wireError('NotImplemented', 'Objects have no versions here; the only version id is "null".');
  }
  const there = routes.filter((row) => row.path === path);
  const found = there.find(
    (row) =>
      row.method === request.method &&
      (row.query ?? []).every((name) => request.query.has(name)) &&
      (row.header === undefined || request.headers.has(row.header)) &&
      asked.every((name) => row.query?.includes(name)),
  );
  if (found !== undefined) return found;
  if (asked.length > 0) throw wireError('NotImplemented', `The operation "${asked.join(', ')}" is not offered here.`);
  throw wireError('MethodNotAllowed', `${request.method} is not offered for this resource.`);
}
