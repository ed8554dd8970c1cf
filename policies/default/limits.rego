# Limits of a sandbox. At most four GPUs; a way out only where it was granted, and none with labelled data inside.
package fumehood.policy

most_gpus := 4

refused contains "gpu_limit" if {
	input.resource == "gpu"
	not within_gpu_limit
}

within_gpu_limit if {
	is_number(input.requested)
	input.requested <= most_gpus
}

# Anybody may see data with these tags, so it may also leave.
open_tags := {"PUBLIC"}

closed_labels contains label if {
	some label in input.subject.labels
	not upper(label) in open_tags
}

refused contains "labelled_egress" if {
	input.action == "egress.connect"
	count(closed_labels) > 0
}

refused contains "egress" if {
	input.action == "egress.connect"
	not input.object.granted == true
}

reasons contains {
	"code": "gpu_limit",
	"message": sprintf("%d GPUs were asked for; a sandbox gets at most %d.", [requested_number, most_gpus]),
	"hint": sprintf("Ask for at most %d GPUs.", [most_gpus]),
} if {
	"gpu_limit" in refused
}

default requested_number := 0

requested_number := input.requested if is_number(input.requested)

reasons contains {
	"code": "labelled_egress",
	"message": sprintf("This sandbox holds data labelled %s, so nothing leaves it.", [concat(", ", closed_labels)]),
	"hint": "Use a sandbox that mounts no labelled data.",
} if {
	"labelled_egress" in refused
}

reasons contains {
	"code": "egress",
	"message": sprintf("No grant of this sandbox names %s.", [input.object.id]),
	"hint": sprintf("Create the sandbox with --egress %s", [input.object.id]),
} if {
	"egress" in refused
}
