# Four eyes. Nobody approves their own request, and nobody gives themselves a role.
package fumehood.policy

refused contains "own_request" if {
	input.action in {"approval.approve", "approval.deny"}
	not somebody_else
}

somebody_else if input.object.requester != input.subject.user

refused contains "own_roles" if {
	input.action == "user.update"
	input.object.roles
	mine
}

reasons contains {
	"code": "own_request",
	"message": "Nobody decides on their own request.",
	"hint": "Ask an officer who is somebody else.",
} if {
	"own_request" in refused
}

reasons contains {
	"code": "own_roles",
	"message": "Nobody changes their own roles.",
	"hint": "Ask an operator who is somebody else.",
} if {
	"own_roles" in refused
}
