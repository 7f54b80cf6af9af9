"""A pattern of the configuration: an exact name, or a prefix followed by `*`."""

from collections.abc import Iterable


def fits(pattern: str, name: str) -> bool:
    """Whether the pattern stands for this name; case matters."""
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))


def any_fits(patterns: Iterable[str], name: str) -> bool:
    """Whether one of them does."""
    return any(fits(pattern, name) for pattern in patterns)
