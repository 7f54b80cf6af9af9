"""Benchmarks: what the relay adds in time, and what it must never do under load."""
