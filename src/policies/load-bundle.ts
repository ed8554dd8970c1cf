import { createRequire } from 'node:module';
import { z } from 'zod';
import type { Bundle } from './bundle.ts';
import { type Reason, Reasons } from './reason.ts';

// The package gives `loadPolicySync` to CommonJS alone.
const { loadPolicySync } = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
) as typeof import('@open-policy-agent/opa-wasm');

/** Of the web's own names, which the types of Node leave out. */
declare const WebAssembly: { compile(wasm: Uint8Array): Promise<object> };

/** What a bundle says to one input; `reasons` are empty exactly when it allows. */
export type Verdict = { allowed: boolean; reasons: Reason[] };

/** A bundle that is ready to be asked. */
export type LoadedBundle = {
  readonly digest: string;
  /** Evaluates the JSON text of an input. Never throws: an error, an undefined answer or one that took too long is a denial. */
  evaluate(inputJson: Uint8Array): Verdict;
};

const PAGE_BYTES = 65_536;
const MEMORY_PAGES = 5;
/** What a module may grow to: a policy that builds more is wrong, and the evaluation ends with an error. */
const MOST_MEMORY_PAGES = (32 * 1024 * 1024) / PAGE_BYTES;
/** An answer that took longer is not believed. */
export const EVALUATION_BUDGET_MS = 250;

const Answer = z.array(z.object({ result: z.unknown() }));
const Messages = z.array(z.unknown());

/** The builtins that the in-process engine gets from outside its module; a policy that needs another is refused when it is compiled. */
export const HOST_BUILTINS: ReadonlySet<string> = new Set([
  'sprintf',
  'json.is_valid',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
]);

/** Compiles a module, beside the event loop; gives what instantiates it within its bounds of memory. */
export async function loadModule(wasm: Uint8Array) {
  const module = await WebAssembly.compile(new Uint8Array(wasm));
  return () => loadPolicySync(module, { initial: MEMORY_PAGES, maximum: MOST_MEMORY_PAGES });
}

/** Milliseconds by the clock on the wall, and those for which this thread was on a processor. */
export type Stopwatch = { wallMs: () => number; cpuMs: () => number };

const STOPWATCH: Stopwatch = {
  wallMs: () => performance.now(),
  cpuMs: () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  },
};

/** Loads a bundle's module once; every evaluation starts from the same memory. */
export async function loadBundle(bundle: Bundle, stopwatch = STOPWATCH): Promise<LoadedBundle> {
  const instantiate = await loadModule(bundle.wasm);
  const open = () => {
    const policy = instantiate();
    policy.setData(JSON.parse(bundle.data));
    return policy;
  };
  let policy = open();
  const ask = (inputJson: Uint8Array, path: string): unknown => {
    const buffer = inputJson.buffer.slice(inputJson.byteOffset, inputJson.byteOffset + inputJson.byteLength);
    const answer = Answer.parse(policy.evaluate(buffer, path));
    return answer[0]?.result;
  };
  const evaluate = bundle.kind === 'default' ? defaultVerdict : userVerdict;
  return {
    digest: bundle.digest,
    evaluate: (inputJson) => {
      const verdictIn = (passedMs: () => number): Verdict | undefined => {
        const began = passedMs();
        const verdict = evaluate(bundle.entrypoints, (path) => ask(inputJson, path));
        return passedMs() - began > EVALUATION_BUDGET_MS ? undefined : verdict;
      };
      try {
        // On a machine that is busy with others a quick policy may take long: it is slow when it needs the processor for as long.
        const verdict = verdictIn(stopwatch.wallMs) ?? verdictIn(stopwatch.cpuMs);
        return verdict ?? denied('timeout', 'The policy took too long to answer.');
      } catch (error) {
        // The module's memory is in an unknown state after an abort.
        policy = open();
        const why = error instanceof Error ? error.message : String(error);
        return denied('error', `The policy could not be evaluated (${why.slice(0, 200)}).`);
      }
    },
  };
}

type Ask = (path: string) => unknown;

function defaultVerdict(entrypoints: Bundle['entrypoints'], ask: Ask): Verdict {
  if (ask(entrypoints.allow ?? '') === true) return ALLOWED;
  const reasons = Reasons.safeParse(ask(entrypoints.reasons ?? ''));
  if (reasons.success && reasons.data.length > 0) return { allowed: false, reasons: reasons.data };
  return denied('undefined', 'No rule of the default bundle allows this.');
}

function userVerdict(entrypoints: Bundle['entrypoints'], ask: Ask): Verdict {
  if (entrypoints.deny !== undefined) {
    const messages = Messages.safeParse(ask(entrypoints.deny));
    if (!messages.success) return denied('undefined', 'Its deny rule gives no set of messages.');
    if (messages.data.length > 0) {
      return { allowed: false, reasons: messages.data.map((message) => ({ code: 'deny', message: wordsOf(message) })) };
    }
  }
  if (entrypoints.allow === undefined) return ALLOWED;
  const answer = ask(entrypoints.allow);
  if (answer === true) return ALLOWED;
  return denied(
    answer === undefined ? 'undefined' : 'not_allowed',
    answer === undefined ? 'None of its allow rules applies.' : 'Its allow rules say no.',
  );
}

const ALLOWED: Verdict = { allowed: true, reasons: [] };

const denied = (code: string, message: string): Verdict => ({ allowed: false, reasons: [{ code, message }] });

/** A deny message is mostly text; an object may carry it as `msg` or `message`. */
function wordsOf(message: unknown): string {
  if (typeof message === 'string') return message;
  const inside = z
    .object({ msg: z.string() })
    .or(z.object({ message: z.string() }))
    .safeParse(message);
  if (inside.success) return 'msg' in inside.data ? inside.data.msg : inside.data.message;
  return JSON.stringify(message);
}
