"""Benchmarks: each measures the house against a peer and against a limit, in one run on servers of its own."""
