/** Who has which slot: written down beside the bundle, so that it outlives this process. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Gpu } from '../driver.ts';
import type { Paths } from './paths.ts';
import { slotPaths } from './paths.ts';

export type Claim = {
  slot: string;
  /** Null for a container that was made ahead and is nobody's yet. */
  sandboxId: string | null;
  firstId: number;
  network: string;
  runtime: string;
  doors: Record<string, number>;
  /** Those that it was handed; unset: none. */
  gpus?: Gpu[];
};

export type Claims = {
  /** What the disk says of one slot. */
  of(slot: string): Claim | undefined;
  ofSandbox(sandboxId: string): Claim | undefined;
  write(claim: Claim): void;
  /** The slot is gone. */
  forget(slot: string): void;
};

export function createClaims(paths: Paths): Claims {
  let bySandbox: Map<string, Claim> | undefined;
  const of = (slot: string): Claim | undefined => readClaim(slotPaths(paths, slot).claim);
  const index = (): Map<string, Claim> => {
    bySandbox ??= new Map(
      (existsSync(paths.sandboxes) ? readdirSync(paths.sandboxes) : []).flatMap((slot) => {
        const claim = of(slot);
        return claim === undefined || claim.sandboxId === null ? [] : [[claim.sandboxId, claim]];
      }),
    );
    return bySandbox;
  };
  return {
    of,
    ofSandbox: (sandboxId) => index().get(sandboxId),
    write: (claim) => {
      const { claim: path } = slotPaths(paths, claim.slot);
      writeFileSync(`${path}.new`, JSON.stringify(claim), { mode: 0o600 });
      renameSync(`${path}.new`, path);
      if (claim.sandboxId !== null) index().set(claim.sandboxId, claim);
    },
    forget: (slot) => {
      for (const [sandboxId, claim] of index()) if (claim.slot === slot) index().delete(sandboxId);
    },
  };
}

function readClaim(path: string): Claim | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Claim;
  } catch {
    return undefined;
  }
}
