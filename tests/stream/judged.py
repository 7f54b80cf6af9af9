"""What the gate makes of a script, and after how long."""

from relay.stream.gate import Committed, Gate, Refused
from tests.stream.script import (
    FakeClock,
    Item,
    Scripted,
)


def judged(
    *items: tuple[float, Item],
    content_type: str = "text/event-stream",
    coding: str = "",
    sent_at: float = 100,
) -> tuple[Committed | Refused, float]:
    """What the gate makes of an answer (first event 10 s, content 2 s), and after how long."""
    clock = FakeClock()
    gate = Gate(first_event_s=10, content_s=2, clock=clock)
    answer = Scripted(clock, *items, content_type=content_type, coding=coding)
    verdict = gate.admit(answer, sent_at=sent_at)
    assert answer.closes == 0
    return verdict, clock.now - 100


def committed(
    *items: tuple[float, Item],
    content_type: str = "text/event-stream",
    coding: str = "",
    sent_at: float = 100,
) -> tuple[Committed, float]:
    verdict, after_s = judged(*items, content_type=content_type, coding=coding, sent_at=sent_at)
    assert isinstance(verdict, Committed), verdict
    return verdict, after_s


def refused(
    *items: tuple[float, Item], content_type: str = "text/event-stream", coding: str = ""
) -> Refused:
    verdict, _ = judged(*items, content_type=content_type, coding=coding)
    assert isinstance(verdict, Refused), verdict
    return verdict
