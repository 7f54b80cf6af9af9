"""What `route explain` said, for a test to look at."""

import json
from typing import Any

from tests.cli.conftest import Run
from tests.scripted.config import provider

NOWHERE = "http://127.0.0.1:9"
"""For providers that are not asked."""


def entry(name: str, *keys: str, **settings: Any) -> dict[str, Any]:
    """A provider that nobody reaches."""
    return provider(name, NOWHERE, *(keys or (f"SECRET-{name}",)), **settings)


def explained(run: Run, *arguments: str) -> dict[str, Any]:
    """The document, whatever the exit code."""
    document: dict[str, Any] = json.loads(run("route", "explain", "--json", *arguments).stdout)
    return document


def steps(document: dict[str, Any], *fields: str) -> list[tuple[Any, ...]]:
    """Those fields of every step, in order."""
    return [tuple(step[field] for field in fields) for step in document["steps"]]
