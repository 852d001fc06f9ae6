"""Running an operation on many files: plan, read, run, write, report; here or on a cluster."""
