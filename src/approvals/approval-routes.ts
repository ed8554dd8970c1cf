import { z } from 'zod';
import { question } from '#src/gateway/crossing.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import { APPROVAL_STATES, ApprovalView, approvalObject, noSuchApproval, stateAt, viewApproval } from './approval.ts';
import type { ApprovalDeps } from './approval-deps.ts';
import { selectApproval, selectApprovals } from './approval-store.ts';
import { ApprovalDecision, decideApproval } from './decide-approval.ts';
import { AccessRequest, requestAccess } from './request-access.ts';

const Ref = z.object({ id: z.string().min(1).max(100) });
const ListQuery = z.object({ ...pageQuery, state: z.enum(APPROVAL_STATES).optional() });

/** The REST routes about access requests and approvals, which are one thing in two states. */
export function approvalRoutes(deps: ApprovalDeps): Route[] {
  const decisions = (['approve', 'deny', 'revoke'] as const).map((verb) =>
    route({
      method: 'POST',
      path: `/api/v1/access-requests/:id/${verb}`,
      action: `approval.${verb}`,
      resource: 'approval',
      summary: `Decide on a request for access: ${verb}`,
      params: Ref,
      body: ApprovalDecision,
      response: ApprovalView,
      handle: async ({ identity, requestId, params, body }) =>
        viewApproval(
          await decideApproval(deps, { identity, requestId }, { verb, id: params.id, ...body }),
          deps.clock.nowMs(),
        ),
    }),
  );
  const request = route({
    method: 'POST',
    path: '/api/v1/access-requests',
    action: 'access.request',
    resource: 'approval',
    summary: 'Ask for access to a data set for a purpose',
    body: AccessRequest,
    response: ApprovalView,
    status: 201,
    handle: async ({ identity, requestId, body }) =>
      viewApproval(await requestAccess(deps, { identity, requestId }, body), deps.clock.nowMs()),
  });
  return [request, listRoute(deps), readRoute(deps), ...decisions];
}

const listRoute = (deps: ApprovalDeps): Route =>
  route({
    method: 'GET',
    path: '/api/v1/access-requests',
    action: 'approval.list',
    resource: 'approval',
    summary: 'Requests for access, newest first: your own, or all for an officer',
    query: ListQuery,
    response: pageOf(ApprovalView),
    handle: async ({ query, identity, cross }) => {
      const requester = identity.roles.includes('officer') ? undefined : identity.user;
      const [requestedMs, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor);
      const before = requestedMs === undefined ? undefined : { requestedMs: Number(requestedMs), id: String(id) };
      const found = await cross({
        object: { kind: 'approval', id: '*' },
        ask: async () => [
          question('approval.list', 'approval', { type: 'approval', id: '*', owner: requester ?? '*', labels: [] }),
        ],
        act: (tx) => selectApprovals(tx, { requester, before, limit: query.limit + 1 }),
      });
      const page = found.slice(0, query.limit);
      const last = page.at(-1);
      const nowMs = deps.clock.nowMs();
      const shown = page.filter((one) => query.state === undefined || stateAt(one, nowMs) === query.state);
      return {
        items: shown.map((approval) => viewApproval(approval, nowMs)),
        next: found.length > query.limit && last !== undefined ? encodeCursor([last.requestedMs, last.id]) : null,
      };
    },
  });

const readRoute = (deps: ApprovalDeps): Route =>
  route({
    method: 'GET',
    path: '/api/v1/access-requests/:id',
    action: 'approval.read',
    resource: 'approval',
    summary: 'One request for access',
    params: Ref,
    response: ApprovalView,
    handle: async ({ params, cross }) => {
      const approval = await cross({
        object: { kind: 'approval', id: params.id },
        ask: async (reader) => {
          const found = await selectApproval(reader, params.id);
          if (found === undefined) throw noSuchApproval(params.id);
          return [question('approval.read', 'approval', approvalObject(found))];
        },
        act: async (tx) => {
          const found = await selectApproval(tx, params.id);
          if (found === undefined) throw noSuchApproval(params.id);
          return found;
        },
      });
      return viewApproval(approval, deps.clock.nowMs());
    },
  });
