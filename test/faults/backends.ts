import { readdirSync, readFileSync } from 'node:fs';
import type { PrivatePostgres } from '#src/cli/private-postgres.ts';

/** The processes of a server that serve connections, or are about to. */
export function backendsOf(postgres: PrivatePostgres): number[] {
  const parent = String(postgres.pid());
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ');
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return fields?.[1] === parent && / fumehood postgres /.test(line) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}
