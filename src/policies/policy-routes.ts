import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { question } from '#src/gateway/crossing.ts';
import { pageOf } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import { applyPolicy, PolicyRequest, removePolicy, rollbackPolicy } from './apply-policy.ts';
import { type StoredDecision, selectDecision } from './decision-store.ts';
import { Explanation, explainDecision } from './explain-decision.ts';
import { noSuchPolicy, PolicyView, policyObject, viewPolicy } from './policy.ts';
import type { PolicyDeps } from './policy-deps.ts';
import { selectBundle, selectPoliciesInForce, selectPolicyVersions } from './policy-store.ts';

const Ref = z.object({ name: z.string().min(1).max(100) });
const Applied = PolicyView.extend({
  package: z.string(),
  rules: z.array(z.string()),
  converted: z.boolean().describe('it was handed in in the older syntax'),
  source: z.string().describe('in the syntax of Rego version 1'),
});
const One = PolicyView.extend({ source: z.string(), submitted: z.string(), versions: z.array(PolicyView) });

/** The REST routes about policies and decisions. */
export function policyRoutes(deps: PolicyDeps): Route[] {
  return [...changingRoutes(deps), ...readingRoutes(), explainRoute(deps)];
}

function changingRoutes(deps: PolicyDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/policies',
      action: 'policy.apply',
      resource: 'policy',
      summary: 'Compile a policy and put it in force for kinds of resource',
      body: PolicyRequest,
      response: Applied,
      status: 201,
      handle: async ({ identity, requestId, body }) => {
        const { applied, policy } = await applyPolicy(deps, { identity, requestId }, body);
        return {
          ...viewPolicy(applied),
          package: policy.package,
          rules: policy.rules,
          converted: policy.converted,
          source: policy.source,
        };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/policies/:name/rollback',
      action: 'policy.rollback',
      resource: 'policy',
      summary: 'Put an earlier version in force again',
      params: Ref,
      body: z.strictObject({ to: z.number().int().positive().optional() }),
      response: PolicyView,
      handle: async ({ identity, requestId, params, body }) =>
        viewPolicy(await rollbackPolicy(deps, { identity, requestId }, { name: params.name, to: body.to })),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/policies/:name',
      action: 'policy.delete',
      resource: 'policy',
      summary: 'Take a policy out of force; its versions stay',
      params: Ref,
      response: PolicyView,
      handle: async ({ identity, requestId, params }) =>
        viewPolicy(await removePolicy(deps, { identity, requestId }, params.name)),
    }),
  ];
}

function readingRoutes(): Route[] {
  const base = { method: 'GET', resource: 'policy' } as const;
  return [
    route({
      ...base,
      path: '/api/v1/policies',
      action: 'policy.list',
      summary: 'The policies in force, besides the default bundle',
      response: pageOf(PolicyView),
      handle: async ({ cross }) => {
        const policies = await cross({
          object: { kind: 'policy', id: '*' },
          ask: async () => [question('policy.list', 'policy', policyObject('*'))],
          act: (tx) => selectPoliciesInForce(tx),
        });
        return { items: policies.map(viewPolicy), next: null };
      },
    }),
    route({
      ...base,
      path: '/api/v1/policies/:name',
      action: 'policy.read',
      summary: 'One policy: its source and all its versions',
      params: Ref,
      response: One,
      handle: ({ params, cross }) =>
        cross({
          object: { kind: 'policy', id: params.name },
          ask: async () => [question('policy.read', 'policy', policyObject(params.name))],
          act: async (tx) => {
            const versions = await selectPolicyVersions(tx, params.name);
            const [current] = versions;
            if (current === undefined) throw noSuchPolicy(params.name);
            const source = (await selectBundle(tx, current.digest))?.source ?? '';
            return { ...viewPolicy(current), source, submitted: current.submitted, versions: versions.map(viewPolicy) };
          },
        }),
    }),
  ];
}

const explainRoute = (deps: PolicyDeps): Route =>
  route({
    method: 'GET',
    path: '/api/v1/policies/decisions/:id/explain',
    action: 'policy.explain',
    resource: 'policy',
    summary: 'Evaluate a decision again and say which conditions failed',
    params: z.object({ id: z.string().min(1).max(100) }),
    response: Explanation,
    handle: async ({ params, cross }) => {
      let found: StoredDecision | undefined;
      const stored = await cross({
        object: { kind: 'policy', id: params.id },
        ask: async (reader) => {
          found = await selectDecision(reader, params.id);
          if (found === undefined) throw noSuchDecision(params.id);
          return [
            question('policy.explain', 'policy', { type: 'decision', id: params.id, owner: found.user, labels: [] }),
          ];
        },
        act: async () => {
          if (found === undefined) throw noSuchDecision(params.id);
          return found;
        },
      });
      const opa = await deps.opa().catch(() => undefined);
      return deps.database.read((reader) => explainDecision({ reader, opa }, stored));
    },
  });

const noSuchDecision = (id: string): AppError =>
  new AppError('not_found', `There is no decision "${id}".`, {
    details: { hint: 'Denials name theirs; "fumehood audit list" shows all.' },
  });
