package fumehood.policy_test

import data.fumehood.policy

gpus(count_asked) := with_values({
	"action": "sandbox.create",
	"resource": "gpu",
	"requested": count_asked,
	"object": {"type": "gpu", "id": "gpu", "owner": null},
})

test_four_gpus if policy.allow with input as gpus(4)

test_five_gpus_are_refused if codes(gpus(5)) == {"gpu_limit"}

test_gpus_without_a_number_are_refused if "gpu_limit" in codes(json.remove(gpus(1), ["requested"]))

egress := with_values({
	"action": "egress.connect",
	"resource": "egress",
	"subject": sandbox_subject,
	"object": {"type": "egress", "id": "pypi.org:443", "granted": true},
})

test_granted_egress if policy.allow with input as egress

test_egress_without_grant if codes(object.union(egress, {"object": {"granted": false}})) == {"egress"}

test_egress_that_says_nothing if codes(json.remove(egress, ["object/granted"])) == {"egress"}

test_public_data_may_leave if policy.allow with input as object.union(egress, {"subject": {"labels": ["public"]}})

test_any_other_label_stays if codes(object.union(egress, {"subject": {"labels": ["internal"]}})) == {"labelled_egress"}

test_sensitive_data_stays_even_when_approved if {
	asked := object.union(egress, {"subject": {"labels": ["PII"]}, "context": {"approvals": [approval]}})
	codes(asked) == {"labelled_egress"}
}
