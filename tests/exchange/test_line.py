"""The line: whose turn it is, and that everybody who stays gets one (behaviour 9.7)."""

import weakref
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from relay.exchange.line import Line, Lines, Ticket


def _served(line: Line) -> list[Ticket]:
    """Serve everybody who stands in line; in which order."""
    order = []
    while (ticket := line.next()) is not None:
        line.leave(ticket, served=True)
        order.append(ticket)
    return order


def _stand(line: Line, *whom: str) -> dict[str, Ticket]:
    """`s1-sub-3` is a sub-agent of session `s1`; `-main-1` has no session."""
    return {
        name: line.join(name.split("-")[0], is_sub_agent=name.split("-")[1] == "sub")
        for name in whom
    }


def _order(line: Line, stood: dict[str, Ticket]) -> list[str]:
    names = {id(ticket): name for name, ticket in stood.items()}
    return [names[id(ticket)] for ticket in _served(line)]


def test_an_empty_line_has_no_next() -> None:
    line = Line()

    assert line.next() is None
    assert len(line) == 0


def test_within_a_session_who_came_first_is_served_first() -> None:
    line = Line()
    stood = _stand(line, "s-main-1", "s-main-2", "s-main-3")

    assert _order(line, stood) == ["s-main-1", "s-main-2", "s-main-3"]


def test_sessions_take_turns() -> None:
    line = Line()
    stood = _stand(line, "s1-main-1", "s1-main-2", "s1-main-3", "s2-main-1", "s3-main-1")

    assert _order(line, stood) == ["s1-main-1", "s2-main-1", "s3-main-1", "s1-main-2", "s1-main-3"]


def test_a_conversation_comes_before_its_own_sub_agents_only() -> None:
    line = Line()
    stood = _stand(line, "s1-sub-1", "s1-sub-2", "s2-sub-1", "s1-main-1", "s2-main-1")

    order = _order(line, stood)

    assert order == ["s1-main-1", "s2-main-1", "s1-sub-1", "s2-sub-1", "s1-sub-2"]


def test_requests_without_a_session_are_each_their_own() -> None:
    line = Line()
    stood = _stand(line, "-main-1", "-main-2", "s-main-1", "s-main-2", "-main-3")

    assert _order(line, stood) == ["-main-1", "-main-2", "s-main-1", "-main-3", "s-main-2"]


def test_who_leaves_unserved_does_not_cost_its_session_the_turn() -> None:
    line = Line()
    stood = _stand(line, "s1-main-1", "s1-main-2", "s2-main-1")

    line.leave(stood.pop("s1-main-1"), served=False)

    assert _order(line, stood) == ["s1-main-2", "s2-main-1"]


def test_leaving_twice_leaves_once() -> None:
    line = Line()
    stood = _stand(line, "s1-main-1", "s1-main-2", "s2-main-1")
    first = stood.pop("s1-main-1")

    line.leave(first, served=True)
    line.leave(first, served=True)

    assert _order(line, stood) == ["s2-main-1", "s1-main-2"]


def test_whoever_is_next_is_told_when_the_place_before_it_is_free() -> None:
    line = Line()
    stood = _stand(line, "s1-main-1", "s2-main-1", "s3-main-1")

    line.leave(stood["s1-main-1"], served=False)

    told = [name for name, ticket in stood.items() if ticket.turn.is_set()]
    assert told == ["s2-main-1"]


class _Watched:
    """A line, and a plain account of who stands in it."""

    def __init__(self) -> None:
        self.line = Line()
        self.standing: list[Ticket] = []
        self.ever: list[Ticket] = []
        self.served: list[Ticket] = []
        self._turn = 0
        self._since: dict[object, int] = {}
        self._had_turn: dict[object, int] = {}

    def join(self, session: str, is_sub_agent: bool) -> None:  # noqa: FBT001  drawn
        ticket = self.line.join(session, is_sub_agent=is_sub_agent)
        self._since.setdefault(ticket.session, self._turn)
        self.standing.append(ticket)
        self.ever.append(ticket)

    def leave(self, which: int) -> None:
        if self.standing:
            ticket = self.standing[which % len(self.standing)]
            self.line.leave(ticket, served=False)
            self._gone(ticket)

    def serve(self) -> None:
        ticket = self.line.next()
        assert (ticket is None) == (not self.standing)
        if ticket is None:
            return
        assert ticket in self.standing
        self._is_fair(ticket)
        self._turn += 1
        self._had_turn[ticket.session] = self._turn
        self.line.leave(ticket, served=True)
        self.served.append(ticket)
        self._gone(ticket)

    def _is_fair(self, ticket: Ticket) -> None:
        same = [each for each in self.standing if each.session == ticket.session]
        first = [each for each in same if not each.is_sub_agent] or same
        assert ticket is first[0]
        last = self._had_turn.get(ticket.session, 0)
        for session, since in self._since.items():
            overtaken = since < last and self._had_turn.get(session, 0) < last
            assert session == ticket.session or not overtaken, "twice before another's once"

    def _gone(self, ticket: Ticket) -> None:
        self.standing.remove(ticket)
        if not any(each.session == ticket.session for each in self.standing):
            self._since.pop(ticket.session)


_STEPS = some.lists(
    some.one_of(
        some.tuples(
            some.just(_Watched.join), some.sampled_from(["", "a", "b", "c"]), some.booleans()
        ),
        some.tuples(some.just(_Watched.leave), some.integers(0, 9)),
        some.tuples(some.just(_Watched.serve)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_everybody_who_stays_is_served_exactly_once_and_in_turn(
    steps: list[tuple[Callable[..., None], Any]],
) -> None:
    watched = _Watched()
    left = 0
    for do, *arguments in steps:
        left += do is _Watched.leave and bool(watched.standing)
        do(watched, *arguments)
        assert len(watched.line) == len(watched.standing)
    while watched.standing:
        watched.serve()

    assert len(set(map(id, watched.served))) == len(watched.served) == len(watched.ever) - left
    assert watched.line.next() is None


def test_all_who_want_the_same_providers_stand_in_one_line() -> None:
    lines = Lines()
    early = lines.of(frozenset("ab"))
    late = lines.of(frozenset("ba"))

    early.join("s", is_sub_agent=False)
    late.join("s", is_sub_agent=False)

    assert len(early) == len(late) == lines.waiting == 2


def test_other_providers_have_a_line_of_their_own_and_all_are_counted() -> None:
    lines = Lines()
    one, other = lines.of(frozenset("a")), lines.of(frozenset("ab"))

    one.join("s", is_sub_agent=False)
    one.join("s", is_sub_agent=False)
    other.join("s", is_sub_agent=False)

    assert (len(one), len(other), lines.waiting) == (2, 1, 3)


def test_a_line_that_nobody_looks_at_is_not_kept() -> None:
    lines = Lines()

    line = weakref.ref(lines.of(frozenset("a")))

    assert line() is None
