"""Drive one exchange without a server: a runtime from a real file, a reply read to its end.

What a WSGI server would do with a reply is done here in `Driven.read`: iterate, then `close`.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from relay.config.loading import load
from relay.config.model import Config
from relay.errors import ClientLeft, RelayError, StreamCut
from relay.exchange import failover, inbound, passage
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import MESSAGES, Inbound
from relay.exchange.lasting import Lasting, Running
from relay.exchange.reply import Reply
from relay.exchange.settle import Settlement
from relay.limits.slots import Slots
from relay.runtime import Runtime
from relay.state.memory import MemoryStore
from relay.state.shared import SharedStore
from relay.stream.disconnect import Absent, ClientWatch, Presence
from tests.scripted.client import MSG

NO_HEADERS: Mapping[str, str] = {}


class LeapingClock:
    """The machine's clock, which a test may move ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def wall(self) -> float:
        return time.time() + self.ahead_s


@dataclass(frozen=True, slots=True)
class Served:
    """What the client got."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes
    cut: bool
    """The body broke off instead of ending."""

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.content)


def quick(  # every limit a test may want below what a file may say
    config: Config,
    *,
    first_event_ms: int | None = None,
    content_ms: int | None = None,
    ping_interval_ms: int | None = None,
    first_byte_ms: int | None = None,
    idle_ms: int | None = None,
) -> Config:
    """The configuration with shorter times than a file may ask for."""
    gate = config.routing.gate
    gate = replace(
        gate,
        first_event_ms=gate.first_event_ms if first_event_ms is None else first_event_ms,
        content_ms=gate.content_ms if content_ms is None else content_ms,
    )
    server = config.server
    if ping_interval_ms is not None:
        server = replace(server, ping_interval_ms=ping_interval_ms)
    providers = tuple(
        replace(
            provider,
            timeouts=replace(
                provider.timeouts,
                first_byte_ms=first_byte_ms or provider.timeouts.first_byte_ms,
                idle_ms=idle_ms or provider.timeouts.idle_ms,
            ),
        )
        for provider in config.providers
    )
    routing = replace(config.routing, gate=gate)
    return replace(config, server=server, routing=routing, providers=providers)


class Driven:
    """One configuration at work, with everything that outlives it."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        adjust: Callable[[Config], Config] = lambda config: config,
    ) -> None:
        self._folder = folder
        self.clock = LeapingClock()
        self.lasting = Lasting.of(
            clock=self.clock,
            store=SharedStore(MemoryStore(self.clock)),
            slots=Slots(folder / "slots"),
            watch=ClientWatch(self.clock),
            running=Running(capacity=100),
        )
        self.runtime = Runtime.of(adjust(_loaded(folder, settings)), self.lasting)

    def renewed(self, settings: Mapping[str, Any]) -> Self:
        """As a reload does it: another runtime, the same lasting parts."""
        self.runtime.close()
        self.runtime = Runtime.of(_loaded(self._folder, settings), self.lasting)
        return self

    def close(self) -> None:
        self.runtime.close()
        self.lasting.close()

    def begin(
        self,
        body: bytes = MSG,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        path: str = MESSAGES,
        query: str = "",
        method: str = "POST",
        names_itself: bool = False,
        presence: Presence | None = None,
    ) -> Reply:
        """The reply, its body untouched. Raises: as `failover.serve`."""
        asked = inbound.read(
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            request_id="r-1",
            names_itself=names_itself,
        )
        own_path = path in (MESSAGES, inbound.COUNT_TOKENS)
        serve = failover.serve if own_path else passage.serve
        exchange = self.exchange(asked, presence or Absent())
        try:
            return serve(exchange)
        except RelayError as error:  # as the error handlers of `relay.web` do
            exchange.settlement.end(error.status, error.type)
            raise
        except ClientLeft:
            exchange.settlement.end(499, "client_left")
            raise

    def exchange(self, asked: Inbound, presence: Presence) -> Exchange:
        """What the views make of a request."""
        means = self.runtime.means
        lasting = self.lasting
        settlement = Settlement(
            lasting, request_id=asked.request_id, method=asked.method, path=asked.path
        )
        settlement.model = asked.model
        lasting.running.enter()
        settlement.owes(lasting.running.leave)
        return Exchange(
            inbound=asked,
            client=self.runtime.gatekeeper.admit(asked.headers),
            means=means,
            settlement=settlement,
            presence=presence,
            model=means.catalogue.resolve(asked.model) if asked.model else "",
        )

    def ask(
        self, body: bytes = MSG, headers: Mapping[str, str] = NO_HEADERS, **asked: Any
    ) -> Served:
        """Serve, read and close. Raises: as `failover.serve`."""
        return read(self.begin(body, headers, **asked))

    def in_flight(self, provider: str, key: str) -> int:
        """How many leases of a key are out."""
        settings = next(c for c in self.runtime.config.providers if c.name == provider)
        position = [str(each.key.reveal()) for each in settings.keys].index(key)
        return self.lasting.running.attempts[f"{provider}/{position}"]


def _loaded(folder: Path, settings: Mapping[str, Any]) -> Config:
    server = {"listen": "127.0.0.1:0"} | settings["server"]
    path = folder / "config.yaml"
    text = json.dumps({**settings, "server": server}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def read(reply: Reply) -> Served:
    """Do as a server does: take every piece, then close."""
    pieces: list[bytes] = []
    cut = True
    try:
        with contextlib.suppress(StreamCut):
            pieces.extend(reply.body)
            cut = False
    finally:
        close(reply)
    return Served(reply.status, reply.headers, b"".join(pieces), cut)


def close(reply: Reply) -> None:
    """End a reply wherever it stands."""
    end = cast("Callable[[], None] | None", getattr(reply.body, "close", None))
    if end is not None:
        end()
