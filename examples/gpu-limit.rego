package gpu_limit

# At most four GPUs a sandbox, in the syntax of Rego before version 1.
default allow = false

allow {
	input.resource == "gpu"
	input.requested <= 4
}
