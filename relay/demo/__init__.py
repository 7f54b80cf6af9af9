"""A made-up provider, to try the relay without an account. It runs as a process of its own."""
