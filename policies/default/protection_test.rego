package fumehood.policy_test

import data.fumehood.policy

mount := with_values({
	"action": "data.mount",
	"resource": "data",
	"tag": "PII",
	"subject": {"purpose": "churn"},
	"object": {"type": "dataset", "id": "customers@1", "name": "customers", "owner": "otto", "labels": ["PII"]},
})

approved(asked) := object.union(asked, {"context": {"approvals": [approval]}})

test_public_data_mounts if policy.allow with input as object.union(mount, {"tag": "public"})

test_untagged_data_is_refused if codes(json.remove(mount, ["tag"])) == {"untagged"}

test_sensitive_data_needs_approval if {
	every tag in {"PII", "PHI", "PCI", "pii", "Phi"} {
		codes(object.union(mount, {"tag": tag})) == {"approval"}
	}
}

test_refusal_names_the_command if {
	some reason in policy.reasons with input as mount
	reason.approvable
	reason.hint == "fumehood access request dataset customers --purpose \"churn\" --until 1d"
}

test_approved_data_mounts if policy.allow with input as approved(mount)

test_approval_of_another_dataset if codes(approved(object.union(mount, {"object": {"name": "patients"}}))) == {"approval"}

test_approval_for_another_purpose if codes(approved(object.union(mount, {"subject": {"purpose": "ads"}}))) == {"approval"}

test_no_purpose_is_no_purpose if {
	nothing := object.union(approval, {"purpose": ""})
	asked := object.union(mount, {"subject": {"purpose": ""}, "context": {"approvals": [nothing]}})
	codes(asked) == {"approval"}
}

test_missing_name_does_not_allow if not policy.allow with input as json.remove(mount, ["object/name"])

test_catalogue_needs_no_approval if policy.allow with input as object.union(mount, {"action": "dataset.read"})

# What was made of labelled data.
model := with_values({
	"action": "model.read",
	"resource": "model",
	"tag": "PII",
	"object": {"type": "model", "id": "spending/1", "owner": "erin", "labels": ["PII"]},
})

test_labelled_model_needs_approval if codes(model) == {"labelled"}

test_owner_with_approval_reads_it if policy.allow with input as approved(model)

test_other_with_approval_does_not if {
	codes(object.union(approved(model), {"subject": {"user": "eve", "id": "eve"}})) == {"owner"}
}

test_sandbox_needs_the_same_purpose if {
	inside := object.union(approved(model), {"subject": sandbox_subject})
	policy.allow with input as inside
	codes(object.union(inside, {"subject": {"purpose": "ads"}})) == {"labelled"}
}

test_officer_sees_metadata_alone if {
	officer := {"subject": {"user": "olga", "id": "olga", "roles": ["officer"]}}
	policy.allow with input as object.union(model, officer)
	"role" in codes(object.union(object.union(model, officer), {"action": "object.read", "resource": "object"}))
}

test_open_label_needs_no_approval if policy.allow with input as object.union(model, {"tag": "public"})

# Expiry.
labelled_sandbox := object.union(sandbox_subject, {"labels": ["PII"]})

test_ended_approval_stops_every_crossing if codes(with_values({"subject": labelled_sandbox})) == {"approval_ended"}

test_approval_in_force_lets_it_go_on if policy.allow with input as approved(with_values({"subject": labelled_sandbox}))

test_ended_approval_stops_exec if {
	asked := with_values({
		"action": "sandbox.exec",
		"resource": "sandbox",
		"object": {"type": "sandbox", "id": "sb-1", "purpose": "churn", "labels": ["PII"]},
	})
	codes(asked) == {"approval_ended"}
	policy.allow with input as approved(asked)
	policy.allow with input as object.union(asked, {"action": "sandbox.delete"})
}

# Encryption.
write := with_values({
	"action": "object.write",
	"resource": "object",
	"object": {"type": "object", "id": "mlflow/a", "encrypted": true, "keyName": "objects"},
})

test_encrypted_write if policy.allow with input as write

test_write_in_clear_is_refused if codes(object.union(write, {"object": {"encrypted": false}})) == {"unencrypted"}

test_write_under_no_name_is_refused if codes(object.union(write, {"object": {"keyName": ""}})) == {"unencrypted"}

test_write_that_says_nothing_is_refused if codes(json.remove(write, ["object/encrypted"])) == {"unencrypted"}
