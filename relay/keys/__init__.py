"""Which credential of an upstream an attempt uses."""
