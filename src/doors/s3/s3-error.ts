/** S3's error codes: which one stands for which error, and how it goes over the wire. */
import { AppError, type ErrorCode } from '#kernel/errors.ts';
import { escapeXml, XML_HEAD } from './xml.ts';

/** Error codes of S3 with their HTTP status. */
const STATUS = {
  AccessControlListNotSupported: 400,
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyExists: 409,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidTag: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MalformedTrailerError: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  NotModified: 304,
  OperationAborted: 409,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
} as const satisfies Record<string, number>;

export type S3Code = keyof typeof STATUS;

const BY_ABOUT: Record<string, S3Code> = {
  bucket: 'NoSuchBucket',
  bucketFull: 'BucketNotEmpty',
  bucketName: 'InvalidBucketName',
  bucketOwned: 'BucketAlreadyOwnedByYou',
  bucketTaken: 'BucketAlreadyExists',
  checksum: 'BadDigest',
  condition: 'PreconditionFailed',
  key: 'InvalidURI',
  keyLength: 'KeyTooLongError',
  length: 'IncompleteBody',
  notModified: 'NotModified',
  object: 'NoSuchKey',
  part: 'InvalidPart',
  partList: 'MalformedXML',
  partNumber: 'InvalidPartNumber',
  partOrder: 'InvalidPartOrder',
  partSize: 'EntityTooSmall',
  range: 'InvalidRange',
  tag: 'InvalidTag',
  upload: 'NoSuchUpload',
};

const BY_CODE: Record<ErrorCode, S3Code> = {
  invalid: 'InvalidRequest',
  unauthenticated: 'AccessDenied',
  denied: 'AccessDenied',
  approval_required: 'AccessDenied',
  pending: 'AccessDenied',
  not_found: 'NoSuchKey',
  method_not_allowed: 'MethodNotAllowed',
  conflict: 'OperationAborted',
  precondition_failed: 'PreconditionFailed',
  too_large: 'EntityTooLarge',
  quota_exceeded: 'SlowDown',
  too_many_requests: 'SlowDown',
  capability_missing: 'NotImplemented',
  timeout: 'ServiceUnavailable',
  unavailable: 'ServiceUnavailable',
  integrity: 'InternalError',
  unsupported: 'NotImplemented',
  internal: 'InternalError',
};

const CODE_OF_STATUS: Record<number, ErrorCode> = {
  403: 'denied',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  501: 'unsupported',
  503: 'unavailable',
};

/** An error of the wire itself: it was thrown before any use case ran, so the door audits it. */
export const wireError = (s3: S3Code, message: string, hint?: string): AppError =>
  new AppError(CODE_OF_STATUS[STATUS[s3]] ?? 'invalid', message, {
    details: { s3, hint: hint ?? 'See the documentation of the S3 API for this operation.' },
  });

/** True for errors that no use case has audited. */
export const isWireError = (error: AppError): boolean =>
  error.details.s3 !== undefined && error.details.audited !== true;

/** The S3 code and HTTP status that an error goes out with. */
export function s3CodeOf(error: AppError): { code: S3Code; status: number } {
  const own = error.details.s3;
  const about = error.details.about;
  const code =
    typeof own === 'string' && own in STATUS
      ? (own as S3Code)
      : ((typeof about === 'string' ? BY_ABOUT[about] : undefined) ?? BY_CODE[error.code]);
  return { code, status: STATUS[code] };
}

/** The XML of an error; `integrity` and `internal` say nothing of their cause. */
export function errorXml(error: AppError, place: { resource: string; requestId: string }): string {
  const { code } = s3CodeOf(error);
  const hint = error.details.hint === undefined ? '' : ` ${error.details.hint}`;
  const decision =
    error.details.decisionId === undefined ? '' : `<DecisionId>${escapeXml(error.details.decisionId)}</DecisionId>`;
  const message = `${error.message.replace(/[^.!?]$/, '$&.')}${hint}`;
  return `${XML_HEAD}<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message>${decision}<Resource>${escapeXml(place.resource)}</Resource><RequestId>${escapeXml(place.requestId)}</RequestId></Error>`;
}
