package fumehood.policy_test

import data.fumehood.policy

decide := with_values({
	"action": "approval.approve",
	"resource": "approval",
	"subject": {"user": "olga", "id": "olga", "roles": ["officer"]},
	"object": {"type": "approval", "id": "apr-1", "owner": "erin", "requester": "erin"},
})

test_officer_approves if policy.allow with input as decide

test_nobody_approves_their_own if codes(object.union(decide, {"object": {"requester": "olga"}})) == {"own_request"}

test_request_of_nobody_is_not_approved if codes(json.remove(decide, ["object/requester"])) == {"own_request"}

test_engineer_does_not_approve if "role" in codes(object.union(decide, {"subject": {"user": "eve", "roles": ["engineer", "operator"]}}))

test_nobody_changes_own_roles if {
	asked := with_values({
		"action": "user.update",
		"resource": "user",
		"subject": {"user": "otto", "id": "otto", "roles": ["operator"]},
		"object": {"type": "user", "id": "otto", "owner": "otto", "roles": ["officer"]},
	})
	codes(asked) == {"own_roles"}
	policy.allow with input as object.union(asked, {"object": {"id": "erin", "owner": "erin"}})
}
