"""Acceptance: real clients against a running relay. Not part of `make test`."""
