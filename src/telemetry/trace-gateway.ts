/** The gateway and its decider, with a span for each crossing and its parts. They are put around only where traces are exported. */
import { toAppError } from '#kernel/errors.ts';
import type { Decider, Gateway } from '#src/gateway/crossing.ts';
import type { SpanContext } from './traceparent.ts';
import type { Span, Tracer } from './tracer.ts';

/** Which crossing a request is just deciding, by request id. */
type Deciding = Map<string, SpanContext>;

export type GatewayTracing = { decider(decider: Decider): Decider; gateway(gateway: Gateway): Gateway };

/** Builds the two wrappings, which belong together. */
export function createGatewayTracing(tracer: Tracer): GatewayTracing {
  const deciding: Deciding = new Map();
  return {
    decider: (decider) => traceDecider(decider, tracer, deciding),
    gateway: (gateway) => traceGateway(gateway, tracer, deciding),
  };
}

const traceDecider = (decider: Decider, tracer: Tracer, deciding: Deciding): Decider => ({
  ...decider,
  decide: async (reader, asked) => {
    // Acts of many requests share a commit, so the running context is not this crossing's.
    const span = tracer.span('policy decision', { parent: deciding.get(asked.requestId) });
    const decision = await decider.decide(reader, asked);
    span.set({ 'fumehood.decision_id': decision.id, 'fumehood.allowed': decision.allowed });
    span.end();
    return decision;
  },
});

function traceGateway(gateway: Gateway, tracer: Tracer, deciding: Deciding): Gateway {
  const start = (
    name: string,
    request: { action: string; requestId: string; door?: string; identity?: { type: string; id: string } },
  ): Span =>
    tracer.span(`${name} ${request.action}`, {
      attributes: {
        'fumehood.action': request.action,
        'fumehood.request_id': request.requestId,
        ...(request.door === undefined ? {} : { 'fumehood.door': request.door }),
        ...(request.identity?.type === 'sandbox' ? { 'fumehood.sandbox_id': request.identity.id } : {}),
      },
    });
  return {
    cross: async (request) => {
      const span = start('crossing', request);
      let actedMs: number | undefined;
      const answer = gateway.cross({
        ...request,
        ask: (reader, subject) => {
          deciding.set(request.requestId, span.context);
          return request.ask(reader, subject);
        },
        act: async (tx, crossing) => {
          const act = tracer.span('act', { parent: span.context });
          try {
            return await request.act(tx, crossing);
          } finally {
            act.end();
            actedMs = tracer.nowMs();
          }
        },
      });
      return ended(span, answer, () => {
        if (deciding.get(request.requestId) === span.context) deciding.delete(request.requestId);
        if (actedMs !== undefined) tracer.span('commit', { parent: span.context, startMs: actedMs }).end();
      });
    },
    check: (request) => ended(start('check', request), gateway.check(request)),
    refuse: (refusal) => ended(start('refusal', refusal), gateway.refuse(refusal)),
    // The system's own rounds (the reaper, recovery) belong to nobody's trace.
    system: (request) =>
      tracer.current() === undefined
        ? gateway.system(request)
        : ended(start('system', request), gateway.system(request)),
  };
}

async function ended<T>(span: Span, answer: Promise<T>, before: () => void = () => undefined): Promise<T> {
  try {
    const value = await answer;
    before();
    span.end();
    return value;
  } catch (thrown) {
    before();
    span.end({ error: toAppError(thrown).code });
    throw thrown;
  }
}
