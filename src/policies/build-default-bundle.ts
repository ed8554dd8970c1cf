/** Compiles policies/default into policies/default.wasm and its manifest: `node src/policies/build-default-bundle.ts`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './bundle.ts';
import { compileRego } from './compile-rego.ts';
import { assembleDefaultBundle, DEFAULT_ENTRYPOINTS, POLICIES_FOLDER, readActionTable } from './default-bundle.ts';
import { findOpa, OPA_VERSION, type Opa } from './opa.ts';

/** Compiles the default bundle from its sources; gives the same bytes for the same sources and the same `opa`. */
export async function buildDefaultBundle(opa: Opa, folder: string = POLICIES_FOLDER): Promise<Bundle> {
  const entrypoints = Object.values(DEFAULT_ENTRYPOINTS);
  const wasm = await compileRego(opa, { cwd: folder, path: 'default', bundle: true, entrypoints });
  return assembleDefaultBundle(wasm, readActionTable(folder));
}

if (import.meta.main) {
  const bundle = await buildDefaultBundle(await findOpa());
  const manifest = { digest: bundle.digest, opa: OPA_VERSION };
  await writeFile(join(POLICIES_FOLDER, 'default.wasm'), bundle.wasm);
  await writeFile(join(POLICIES_FOLDER, 'default.manifest.json'), `${JSON.stringify(manifest)}\n`);
  process.stdout.write(`${bundle.digest}\n`);
}
