# Protection of tagged data. Untagged data is refused; PII, PHI and PCI need an approval in force, at every crossing.
package fumehood.policy

sensitive_tags := {"PII", "PHI", "PCI"}

sensitive(tag) if upper(tag) in sensitive_tags

# Data itself, as a mount or through a door; what is said about data sets (dataset.*) is not data.
is_data if startswith(input.action, "data.")

refused contains "untagged" if {
	input.action in {"data.mount", "data.read"}
	not input.tag
}

refused contains "approval" if {
	is_data
	sensitive(input.tag)
	not dataset_approved
}

dataset_approved if {
	input.subject.purpose != ""
	some approval in input.context.approvals
	approval.dataset == input.object.name
	approval.purpose == input.subject.purpose
}

# What was made out of sensitive data is told only to its owner under an approval that covers the label.
refused contains "labelled" if {
	row.reads
	not is_data
	sensitive(input.tag)
	not covered(input.tag, reading_purpose)
	not officer_looks
}

# Outside of a sandbox there is no purpose: any approval of the person's counts.
reading_purpose := input.subject.purpose if in_sandbox

else := "*"

covered(tag, purpose) if {
	some approval in input.context.approvals
	some label in approval.labels
	upper(label) == upper(tag)
	purpose in {"*", approval.purpose}
}

# An officer sees what there is (metadata), never what is in it: no row of the table gives an officer data or objects.
officer_looks if {
	not in_sandbox
	"officer" in input.subject.roles
	input.resource in {"run", "model"}
}

# An approval that ends takes effect on running sandboxes at whatever they ask for next.
refused contains "approval_ended" if {
	in_sandbox
	some label in input.subject.labels
	sensitive(label)
	not covered(label, input.subject.purpose)
}

# The same for a person who reaches into such a sandbox.
refused contains "approval_ended" if {
	row.inside
	some label in input.object.labels
	sensitive(label)
	not covered_inside(label)
}

covered_inside(label) if covered(label, input.object.purpose)

# Artifacts are written encrypted under a named key.
refused contains "unencrypted" if {
	input.action == "object.write"
	input.object.type == "object"
	not encrypted
}

encrypted if {
	input.object.encrypted == true
	is_string(input.object.keyName)
	input.object.keyName != ""
}

reasons contains {
	"code": "untagged",
	"message": sprintf("Data set %s has no tag, so nobody knows what it may be used for.", [object_name]),
	"hint": sprintf("Add a version with a tag: fumehood dataset add %s PATH --tag public", [object_name]),
} if {
	"untagged" in refused
}

reasons contains {
	"code": "approval",
	"message": sprintf(
		"Data set %s is tagged %s, and %s has no approval in force for it%s.",
		[object_name, tag_name, input.subject.user, for_purpose],
	),
	"hint": sprintf("fumehood access request dataset %s --purpose \"%s\" --until 1d", [object_name, purpose_to_ask]),
	"approvable": true,
} if {
	"approval" in refused
}

purpose_to_ask := "..." if input.subject.purpose == ""

else := input.subject.purpose

for_purpose := " (no purpose was named: use --purpose)" if input.subject.purpose == ""

else := sprintf(" and the purpose \"%s\"", [input.subject.purpose])

reasons contains {
	"code": "labelled",
	"message": sprintf(
		"%s is labelled %s, and %s has no approval in force that covers it.",
		[input.object.id, tag_name, input.subject.user],
	),
	"hint": "See \"fumehood approval list\"; ask again with \"fumehood access request\".",
	"approvable": true,
} if {
	"labelled" in refused
}

reasons contains {
	"code": "approval_ended",
	"message": sprintf(
		"The sandbox holds data labelled %s, and %s has no approval in force that covers it.",
		[concat(", ", held), input.subject.user],
	),
	"hint": "Ask again with \"fumehood access request\", or delete the sandbox.",
	"approvable": true,
} if {
	"approval_ended" in refused
}

held contains label if {
	some label in array.concat(input.subject.labels, input.object.labels)
	sensitive(label)
}

reasons contains {
	"code": "unencrypted",
	"message": sprintf("%s would not be written encrypted under a named key.", [input.object.id]),
	"hint": "Ask an operator to configure a key provider.",
} if {
	"unencrypted" in refused
}
