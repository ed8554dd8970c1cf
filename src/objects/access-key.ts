import type { Identity } from '#src/gateway/crossing.ts';

/** An S3 key pair without its secret. Outside of sandboxes it is who one is; inside, it can only narrow what the sandbox may do. */
export type AccessKey = {
  accessKeyId: string;
  identity: Identity;
  /** The sandbox that it dies with. */
  sandboxId: string | undefined;
  readOnly: boolean;
  createdMs: number;
  expiresMs: number;
};
