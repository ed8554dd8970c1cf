import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Bundle, bundleDigest } from './bundle.ts';

/** Where the default bundle's sources and its compiled form are. */
export const POLICIES_FOLDER = join(import.meta.dirname, '..', '..', 'policies');

/** The entry points of the default bundle. */
export const DEFAULT_ENTRYPOINTS = { allow: 'fumehood/policy/allow', reasons: 'fumehood/policy/reasons' };

const Manifest = z.object({ digest: z.string(), opa: z.string() });

/** The data of the default bundle: its table of actions, as the module sees it. */
export function readActionTable(folder: string = POLICIES_FOLDER): Record<string, ActionRow> {
  const text = readFileSync(join(folder, 'default', 'fumehood', 'actions', 'data.json'), 'utf8');
  return z.record(z.string(), ActionRow).parse(JSON.parse(text));
}

const Reach = z.enum(['own', 'any']);

/** One line of the table: what each role reaches, and the marks of the action's kind. */
export const ActionRow = z.strictObject({
  engineer: Reach.optional(),
  operator: Reach.optional(),
  officer: Reach.optional(),
  /** What runs in a sandbox may do it too. */
  sandbox: z.literal(true).optional(),
  /** It tells what is in a thing. */
  reads: z.literal(true).optional(),
  /** It reaches into a sandbox. */
  inside: z.literal(true).optional(),
});
export type ActionRow = z.infer<typeof ActionRow>;

/** The compiled default bundle of this program. Throws `integrity` when it is not the one that the manifest names. */
export function readDefaultBundle(folder: string = POLICIES_FOLDER): Bundle {
  const wasm = readFileSync(join(folder, 'default.wasm'));
  const manifest = Manifest.parse(JSON.parse(readFileSync(join(folder, 'default.manifest.json'), 'utf8')));
  const bundle = assembleDefaultBundle(wasm, readActionTable(folder));
  if (bundle.digest === manifest.digest) return bundle;
  throw new AppError('integrity', 'The compiled default policy bundle is not the one of its manifest.', {
    details: {
      hint: 'Restore policies/ from the release, or build it again: node src/policies/build-default-bundle.ts',
    },
  });
}

/** Puts module and table together. */
export function assembleDefaultBundle(wasm: Uint8Array, table: Record<string, ActionRow>): Bundle {
  const data = JSON.stringify({ fumehood: { actions: table } });
  const parts = { wasm, data, entrypoints: DEFAULT_ENTRYPOINTS };
  return { ...parts, kind: 'default', source: 'policies/default', digest: bundleDigest(parts) };
}
