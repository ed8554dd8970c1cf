# Decision. A question is allowed when nothing refuses it: every file of this bundle adds what it refuses, by code, and the words
# for it. The answer hangs on the codes alone, so that a name that is missing in a sentence can never allow anything.
package fumehood.policy

default allow := false

allow if count(refused) == 0

# What the table of actions says of this action: role -> "own" or "any", and the marks of its kind.
row := data.fumehood.actions[input.action]

mine if input.object.owner == input.subject.user

in_sandbox if input.subject.type == "sandbox"

refused contains "input" if not well_formed

well_formed if {
	is_string(input.subject.user)
	input.subject.user != ""
	is_string(input.subject.purpose)
	is_array(input.subject.roles)
	is_array(input.subject.scopes)
	is_array(input.subject.labels)
	is_string(input.object.id)
	is_array(input.object.labels)
	is_array(input.context.approvals)
}

reasons contains {
	"code": "input",
	"message": "The question to policy is incomplete.",
	"hint": "Report this with the decision id.",
} if {
	"input" in refused
}

# Words for sentences; total, whatever the input lacks.
default object_name := "(no name)"

object_name := input.object.name if is_string(input.object.name)

else := input.object.id

default tag_name := "(no tag)"

tag_name := input.tag
