"""Batches of files: plan, read, run an operation, write and report, locally or on a cluster."""
