import type { Row } from '../measure.ts';
import { measureClaims } from './sandbox-claims.ts';
import { measureCold } from './sandbox-cold.ts';
import { measureDensity } from './sandbox-density.ts';
import { measureExec } from './sandbox-exec.ts';
import { measureWarmPython } from './sandbox-python.ts';

/** All of sandboxes: cold beside the bare runtime, made ahead beside cold, the warm interpreter, and how many there is room for. */
export async function measureSandboxes(say: (text: string) => void): Promise<Row[]> {
  return [
    ...(await measureCold(say)),
    ...(await measureExec(say)),
    ...(await measureClaims(say)),
    ...(await measureWarmPython(say)),
    ...(await measureDensity(say)),
  ];
}
