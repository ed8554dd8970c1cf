package fumehood.policy_test

import data.fumehood.policy

# A question of an engineer about a run of her own, which is allowed as it stands.
base := {
	"version": 1,
	"action": "run.log",
	"resource": "run",
	"subject": {"type": "user", "id": "erin", "user": "erin", "roles": ["engineer"], "scopes": ["*"], "purpose": "", "labels": []},
	"object": {"type": "run", "id": "r1", "owner": "erin", "labels": []},
	"context": {"time": "2030-01-01T00:00:00Z", "timeMs": 1893456000000, "approvals": [], "assessments": [], "usage": {}},
}

sandbox_subject := {"type": "sandbox", "id": "sb-1", "user": "erin", "roles": ["engineer"], "scopes": ["*"], "purpose": "churn", "labels": []}

approval := {"id": "apr-1", "dataset": "customers", "purpose": "churn", "labels": ["PII"], "until": "2030-01-02T00:00:00Z"}

with_values(changes) := object.union(base, changes)

codes(asked) := {reason.code | some reason in policy.reasons with input as asked}

test_owner_may if policy.allow with input as base

test_others_may_not if "owner" in codes(with_values({"subject": {"user": "eve"}}))

test_missing_owner_is_nobody if {
	asked := json.remove(base, ["object/owner"])
	codes(asked) == {"owner"}
}

test_unknown_action_is_refused if codes(with_values({"action": "run.explode"})) == {"unknown_action"}

test_role_without_reach_is_refused if codes(with_values({"action": "user.create"})) == {"role"}

test_no_role_is_refused if codes(with_values({"subject": {"roles": []}})) == {"role"}

test_unknown_role_is_refused if codes(with_values({"subject": {"roles": ["root"]}})) == {"role"}

test_incomplete_question_is_refused if {
	asked := json.remove(base, ["object/labels"])
	"input" in codes(asked)
}

test_nothing_is_refused if not policy.allow with input as {}

test_sandbox_acts_for_its_user if policy.allow with input as with_values({"subject": sandbox_subject})

test_sandbox_has_no_control_actions if {
	some action in {"sandbox.create", "sandbox.exec", "access.request", "quota.read"}
	"sandbox_control" in codes(with_values({"action": action, "subject": sandbox_subject}))
}

test_sandbox_of_an_officer_does_not_approve if {
	subject := object.union(sandbox_subject, {"roles": ["officer", "operator"]})
	every action in {"approval.approve", "policy.apply", "user.create"} {
		"sandbox_control" in codes(with_values({"action": action, "subject": subject, "object": {"requester": "eve"}}))
	}
}

scoped(scopes) := with_values({"subject": {"scopes": scopes}})

test_scope_of_the_action if policy.allow with input as scoped(["run.log"])

test_scope_of_the_noun if policy.allow with input as scoped(["run.*"])

test_scope_of_the_object if policy.allow with input as scoped(["run.log:r1"])

test_scope_of_a_prefix if policy.allow with input as scoped(["run.*:r*"])

test_no_scope if codes(scoped([])) == {"scope"}

test_scope_of_another_action if codes(scoped(["run.read", "model.*"])) == {"scope"}

test_scope_of_another_object if codes(scoped(["run.log:r2", "run.log:r1x*"])) == {"scope"}

test_scope_never_widens if codes(object.union(scoped(["user.*"]), {"action": "user.create"})) == {"role"}
