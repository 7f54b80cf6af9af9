"""What the loads are driven on: one upstream for all, and relays as each load wants them.

Loads that only use CPU share a warm relay with one worker; what counts memory or starts gets a
fresh one, which is alone meanwhile. Other gateways run by themselves, in front of the same
upstream.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from bench.load import cores
from bench.load.driver import Driver, Pattern, Record
from bench.load.gateway import Gateway
from bench.load.say import say_errors
from bench.relay_process import RelayProcess
from bench.upstream_process import UpstreamProcess

RELAY: Final = "relay"
_WARM_S: Final = 0.5
_MODEL: Final = "claude-opus-5-5"


class Stage:
    """Upstream, cores and the shared relay, until `close`."""

    def __init__(self, seconds: float, upstream_port: int = 0, *upstream: str) -> None:
        """`seconds` is how long a timed load takes, `upstream` more arguments for that."""
        self.seconds = seconds
        self.cores = cores.choose()
        self._open = contextlib.ExitStack()
        self._shared = contextlib.ExitStack()
        self._relay: Gateway | None = None
        try:
            self._open.enter_context(cores.apart(self.cores))
            arguments = ["--port", str(upstream_port), *upstream]
            self.upstream = self._open.enter_context(
                UpstreamProcess("bench.load.upstream", arguments)
            )
        except BaseException:
            self.close()
            raise
        self.direct = Gateway("direct", "127.0.0.1", self.upstream.port)

    def warm(self, gateway: Gateway | None) -> Gateway:
        """A gateway that is up and has been used; None = the shared relay with one worker."""
        if gateway is not None:
            return gateway
        if self._relay is None:
            self._relay = self._shared.enter_context(self.fresh_relay())[0]
            self.warm_up(self._relay)
        return self._relay

    def warm_up(self, gateway: Gateway) -> None:
        """Use a gateway a little: the first requests of a process cost more."""
        seconds = min(_WARM_S, self.seconds) / 2
        drive(gateway, Pattern(message(), connections=4), seconds)
        stream = message(events=5, interval_ms=5)
        drive(gateway, Pattern(stream, connections=4, events=5), seconds)

    @contextlib.contextmanager
    def fresh(self, gateway: Gateway | None) -> Iterator[Gateway]:
        """A relay that has just started and stands alone; another gateway as it is."""
        if gateway is not None:
            yield gateway
            return
        self.end_shared()
        with self.fresh_relay() as (relay, _):
            yield relay

    @contextlib.contextmanager
    def fresh_relay(
        self, *, workers: int = 1, is_pinned: bool = True
    ) -> Iterator[tuple[Gateway, RelayProcess]]:
        """A relay for a while, as a gateway and as the process."""
        core = self.cores.measured if is_pinned else None
        with (
            tempfile.TemporaryDirectory(prefix="cc-relay-bench-") as folder,
            RelayProcess(Path(folder), self.upstream.url, workers=workers, core=core) as process,
        ):
            yield Gateway(RELAY, "127.0.0.1", process.port, pid=process.pid), process

    def end_shared(self) -> None:
        """End the shared relay; the next use starts another."""
        self._relay = None
        self._shared.close()

    def close(self) -> None:
        """End everything; once."""
        with self._open:
            self.end_shared()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def message(*, events: int = 0, interval_ms: int = 0) -> bytes:
    """The body of a request: a stream with so many events, or without any a plain answer."""
    asked = {
        "model": _MODEL,
        "max_tokens": max(events, 1),
        **({"top_k": interval_ms} if interval_ms else {}),
        "stream": events > 0,
        "messages": [{"role": "user", "content": "hi"}],
    }
    return json.dumps(asked).encode()


def drive(gateway: Gateway, pattern: Pattern, seconds: float) -> Record:
    """Drive a gateway for so long; errors are said at once."""
    with Driver(gateway, pattern) as driver:
        record = driver.run(seconds)
    say_errors(gateway, record)
    return record
