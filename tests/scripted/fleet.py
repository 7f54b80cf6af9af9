"""Fleet: one relay of two workers before the providers A, B and C, anew for every test.

What workers share outlives every reload, so a test gets names for its providers and keys that no
test had before. Requests go to the workers in turn, over one kept connection each: `Relay.connect`
makes sure who holds its other end, so both workers answer whatever the kernel likes.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from tests.scripted.client import MSG, Connection, Headers, Response
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

_NEVER: Final = 1_000_000
_number = itertools.count(1)


class Fleet:
    """The relay and its providers, as one test sees them."""

    def __init__(self, relay: Relay, upstreams: Mapping[str, Upstream]) -> None:
        self.relay = relay
        self.upstreams = upstreams
        self.number = 0
        self._turn = itertools.count()
        self._connections: dict[int, Connection] = {}

    def renew(self) -> None:
        """Begin a test: other names, nothing sent, nothing scripted."""
        self.number = next(_number)
        self._turn = itertools.count()
        self._connections.clear()
        for upstream in self.upstreams.values():
            upstream.forget()

    def __getitem__(self, letter: str) -> Upstream:
        return self.upstreams[letter]

    def name(self, letter: str) -> str:
        """What the provider is called in this test."""
        return f"{letter}{self.number}"

    def key(self, letter: str, position: int = 0) -> str:
        """The text of one of its keys in this test."""
        return f"key-{letter.lower()}-{position}-{self.number}"

    def entry(self, letter: str, *keys: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
        """Its entry in `providers:`; each of `keys` says what a key is beside its text."""
        own = [{"key": self.key(letter, at)} | dict(key) for at, key in enumerate(keys or [{}])]
        upstream = settings.pop("base_url", self[letter])
        return provider(self.name(letter), upstream, keys=own, **settings)

    def put(
        self,
        *entries: dict[str, Any],
        breaker: Mapping[str, int] | None = None,
        health: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        """Put these providers in force in both workers, with `routing.debug`.

        Breakers never open and nobody is probed, unless the test says so.
        """
        sections["routing"] = {"debug": True} | sections.get("routing", {})
        sections["health"] = {
            "circuit_breaker": {"failure_threshold": _NEVER} | dict(breaker or {}),
            "health_check": {"enabled": False},
        } | dict(health or {})
        self.relay.reload(config(*entries, **sections))

    def post(
        self,
        body: bytes = MSG,
        headers: Headers = (),
        *,
        worker: int | None = None,
        target: str = "/v1/messages",
    ) -> Response:
        """A request to the next worker in turn, or to the first or second; read to its end."""
        pids = self.relay.workers
        pid = pids[(next(self._turn) if worker is None else worker) % len(pids)]
        connection = self._connections.get(pid)
        if connection is None or connection.socket.fileno() < 0:  # closed after another test
            connection = self._connections[pid] = self.relay.connect(pid)
        answer = connection.ask("POST", target, body, headers)
        if answer.is_cut() or answer.header("connection") == "close":
            del self._connections[pid]
        return answer

    def settled(self, answer: Response) -> Response:
        """The same answer, once the relay has made up its account; read it to its end before."""
        self.relay.record_of(answer.header("x-request-id") or "")
        return answer

    def begin(
        self, body: bytes = MSG, headers: Headers = (), *, worker: int | None = None
    ) -> Connection:
        """A request on a connection of its own that nobody waits for yet."""
        pids = self.relay.workers
        pid = pids[(next(self._turn) if worker is None else worker) % len(pids)]
        connection = self.relay.connect(pid)
        connection.begin("POST", "/v1/messages", body, headers)
        return connection

    def burst(self, count: int, body: bytes = MSG) -> list[Response]:
        """So many requests at once, half of them to each worker."""
        pids = self.relay.workers
        connections = [self.relay.connect(pids[at % len(pids)]) for at in range(count)]
        for connection in connections:
            connection.begin("POST", "/v1/messages", body)
        answers = [connection.response() for connection in connections]
        for answer in answers:
            answer.is_cut()
        return answers

    @property
    def hits(self) -> str:
        """Who was sent messages, as letters in the order they arrived."""
        arrived = [
            (request.arrived_at, letter)
            for letter, upstream in self.upstreams.items()
            for request in upstream.requests
            if request.method == "POST"
        ]
        return "".join(letter for _, letter in sorted(arrived))

    def keys_used(self, letter: str) -> list[int | None]:
        """The positions of the keys that a provider was sent, None for one that is not its own."""
        known = {self.key(letter, position): position for position in range(9)}
        return [
            known.get(request.header("x-api-key") or "")
            for request in self[letter].requests
            if request.method == "POST"
        ]
