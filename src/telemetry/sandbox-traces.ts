/** In which trace each sandbox was made: its crossings go on there, after a restart of the control plane too. */
import type { Log } from '#kernel/log.ts';
import type { Database } from '#kernel/sql.ts';
import { deleteSandboxTrace, insertSandboxTrace, selectSandboxTraces } from './telemetry-store.ts';
import { formatTraceparent, parseTraceparent, type SpanContext } from './traceparent.ts';

export type SandboxTraces = {
  of(sandboxId: string): SpanContext | undefined;
  keep(sandboxId: string, context: SpanContext): void;
  forget(sandboxId: string): void;
};

/** For a control plane that exports no traces. */
export const NO_SANDBOX_TRACES: SandboxTraces = {
  of: () => undefined,
  keep: () => undefined,
  forget: () => undefined,
};

/** Reads what is kept. Writing is done beside the start of the sandbox: a trace that is lost costs nobody their work. */
export async function openSandboxTraces(deps: { database: Database; log: Log }): Promise<SandboxTraces> {
  const stored = await deps.database.read(selectSandboxTraces);
  const traces = new Map<string, SpanContext>();
  for (const [id, header] of stored) {
    const context = parseTraceparent(header);
    if (context !== undefined) traces.set(id, context);
  }
  const quietly = (work: Promise<unknown>): void => {
    work.catch((error) => deps.log('warn', 'the trace of a sandbox could not be kept', { error }));
  };
  return {
    of: (sandboxId) => traces.get(sandboxId),
    keep: (sandboxId, context) => {
      traces.set(sandboxId, context);
      quietly(deps.database.transaction((tx) => insertSandboxTrace(tx, sandboxId, formatTraceparent(context))));
    },
    forget: (sandboxId) => {
      if (traces.delete(sandboxId)) quietly(deps.database.transaction((tx) => deleteSandboxTrace(tx, sandboxId)));
    },
  };
}
