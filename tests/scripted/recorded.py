"""Recorded: one request as it arrived at the scripted upstream, and when its peer went away."""

import json
from dataclasses import dataclass, field
from threading import Event
from typing import Any


@dataclass(slots=True)
class Recorded:
    """One request, byte for byte. Times are `time.monotonic`."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """In order, names as they came."""
    body: bytes
    connection: int
    """Which connection, counted from 0."""
    arrived_at: float
    closed_at: float | None = None
    """When the peer was seen to have closed the connection."""
    closed: Event = field(default_factory=Event)
    wrote_at: list[float] = field(default_factory=list)
    """When each `bytes` step of the answer had been written."""
    answered: Event = field(default_factory=Event)
    """Set when the scripted answer is written to its end."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query without its question mark."""
        return self.target.partition("?")[2]

    def named(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """A header's one value; None if absent. Two of them are a fault of the test's subject."""
        values = self.named(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object."""
        fields: dict[str, Any] = json.loads(self.body)
        return fields

    def text(self) -> str:
        """Everything that arrived, to look for what must not be in it."""
        head = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.target}\n{head}\n\n" + self.body.decode("utf-8", "replace")
