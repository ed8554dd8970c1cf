# Roles, ownership and scopes. A role reaches the actions that the table gives it, "own" ones only on what belongs to the user.
package fumehood.policy

reach contains row[role] if some role in input.subject.roles

refused contains "unknown_action" if not row

refused contains "role" if {
	row
	not reach.own
	not reach.any
}

refused contains "owner" if {
	reach.own
	not reach.any
	not mine
}

refused contains "sandbox_control" if {
	in_sandbox
	not row.sandbox
}

refused contains "scope" if not in_scope

in_scope if "*" in input.subject.scopes

in_scope if {
	some scope in input.subject.scopes
	indexof(scope, ":") < 0
	scope_action(scope)
}

in_scope if {
	some scope in input.subject.scopes
	colon := indexof(scope, ":")
	colon > 0
	scope_action(substring(scope, 0, colon))
	scope_object(substring(scope, colon + 1, -1))
}

scope_action(pattern) if pattern == input.action

scope_action(pattern) if {
	endswith(pattern, ".*")
	startswith(input.action, trim_suffix(pattern, "*"))
}

scope_object(pattern) if pattern == input.object.id

scope_object(pattern) if {
	endswith(pattern, "*")
	startswith(input.object.id, trim_suffix(pattern, "*"))
}

reasons contains {
	"code": "unknown_action",
	"message": sprintf("No rule knows the action %s.", [input.action]),
	"hint": "Add it to the table of actions of the default bundle.",
} if {
	"unknown_action" in refused
}

reasons contains {
	"code": "role",
	"message": sprintf("The role %s may not do %s.", [concat(", ", input.subject.roles), input.action]),
	"hint": sprintf("Ask somebody who is %s.", [concat(" or ", able)]),
} if {
	"role" in refused
}

able := {role | some role in {"engineer", "operator", "officer"}; row[role]}

reasons contains {
	"code": "owner",
	"message": sprintf("%s may do %s only on what is their own; this is %s.", [input.subject.user, input.action, whose]),
	"hint": "Ask its owner, or somebody with a role that reaches further.",
} if {
	"owner" in refused
}

default whose := "everybody's"

whose := sprintf("%s's", [input.object.owner]) if {
	is_string(input.object.owner)
	input.object.owner != "*"
}

reasons contains {
	"code": "sandbox_control",
	"message": sprintf("A sandbox may not do %s: only a person may, from outside.", [input.action]),
	"hint": "Use the command line or the API outside the sandbox.",
} if {
	"sandbox_control" in refused
}

reasons contains {
	"code": "scope",
	"message": sprintf(
		"%s on %s is outside of what was granted (%s).",
		[input.action, input.object.id, concat(", ", input.subject.scopes)],
	),
	"hint": "Use a token or a sandbox with a wider grant.",
} if {
	"scope" in refused
}
