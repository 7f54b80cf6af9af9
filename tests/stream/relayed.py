"""What the tests of the body share: a body over a script, and what came of it."""

from typing import Literal

from relay.errors import StreamCut
from relay.messages.usage import Usage
from relay.stream.body import Body, Ending
from relay.stream.disconnect import Absent
from relay.stream.gate import Committed
from relay.stream.watch import StreamWatch, Watch
from tests.stream.script import (
    BLOCK,
    DELTA,
    START,
    FakeClock,
    Item,
    Scripted,
)

BEGUN = START + BLOCK + DELTA


class Recorder(Absent):
    """A presence that counts its stops, and an account of what `on_close` was told."""

    def __init__(self) -> None:
        self.stops = 0
        self.endings: list[tuple[Ending, Usage]] = []

    def stop(self) -> None:
        self.stops += 1

    def settle(self, ending: Ending, usage: Usage) -> None:
        self.endings.append((ending, usage))


class Relayed:
    """A body over a script, read as a server reads it."""

    def __init__(
        self,
        *items: tuple[float, Item],
        held: bytes = b"",
        watch: Watch | None = None,
        complete: bool = False,
        failure: Literal["cut", "event"] = "event",
    ) -> None:
        self.clock = FakeClock()
        self.source = Scripted(self.clock, *items)
        self.recorder = Recorder()
        watch = watch or StreamWatch()
        watch.feed(held)
        self.body = Body(
            source=self.source,
            committed=Committed(held, watch, complete=complete),
            ping_interval_s=15,
            failure=failure,
            presence=self.recorder,
            on_close=self.recorder.settle,
        )
        self.cut = False

    def read(self) -> list[bytes]:
        """Everything the client gets; `cut` tells whether its connection was taken down."""
        pieces: list[bytes] = []
        try:
            pieces.extend(self.body)
        except StreamCut:
            self.cut = True
        self.body.close()
        return pieces

    @property
    def ending(self) -> Ending:
        [(ending, _)] = self.recorder.endings
        return ending

    @property
    def usage(self) -> Usage:
        [(_, usage)] = self.recorder.endings
        return usage
