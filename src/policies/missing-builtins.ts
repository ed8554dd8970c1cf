import { z } from 'zod';
import { HOST_BUILTINS, loadModule } from './load-bundle.ts';

const Names = z.record(z.string(), z.number());

/** What a module made by `opa build` exports, and the memory that it was given. */
type Opened = {
  wasmInstance: { exports: { builtins(): number; opa_json_dump(address: number): number } };
  mem: { buffer: ArrayBuffer };
};

/** The builtins that a compiled module wants from its host and that are not offered here, sorted. */
export async function missingBuiltins(wasm: Uint8Array): Promise<string[]> {
  const instantiate = await loadModule(wasm);
  const opened = instantiate() as unknown as Opened;
  const { exports } = opened.wasmInstance;
  const start = exports.opa_json_dump(exports.builtins());
  const bytes = new Uint8Array(opened.mem.buffer);
  const text = Buffer.from(bytes.subarray(start, bytes.indexOf(0, start))).toString();
  return Object.keys(Names.parse(JSON.parse(text)))
    .filter((name) => !HOST_BUILTINS.has(name))
    .sort();
}
