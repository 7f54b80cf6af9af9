"""Line: who waits in this process for room at the same providers, and whose turn it is.

Sessions take turns; within one, the main conversation comes before its sub-agents, and who came
first before who came later (behaviour 9.7). Requests without a session are each their own.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gevent.event import Event


@dataclass(eq=False, slots=True)
class Ticket:
    """A place in a line."""

    session: Hashable
    is_sub_agent: bool
    turn: Event = field(default_factory=Event)
    """Set when it may be this one's turn."""


class _Session:
    def __init__(self) -> None:
        self.main: deque[Ticket] = deque()
        self.sub: deque[Ticket] = deque()

    def of(self, ticket: Ticket) -> deque[Ticket]:
        return self.sub if ticket.is_sub_agent else self.main


class Line:
    """The tickets of one set of providers."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Hashable, _Session] = OrderedDict()
        self.room_at = 0.0
        """When there may be room, on the monotonic clock, as whoever looked last was told."""

    def __len__(self) -> int:
        return sum(len(each.main) + len(each.sub) for each in self._sessions.values())

    def join(self, session: str, *, is_sub_agent: bool) -> Ticket:
        """Take a place; whoever has it calls `leave`."""
        ticket = Ticket(session or object(), is_sub_agent)
        self._sessions.setdefault(ticket.session, _Session()).of(ticket).append(ticket)
        return ticket

    def next(self) -> Ticket | None:
        """Whose turn it is."""
        for session in self._sessions.values():
            return (session.main or session.sub)[0]
        return None

    def leave(self, ticket: Ticket, *, served: bool) -> None:
        """Give the place up; idempotent. Who was `served` lets another session have its turn."""
        session = self._sessions.get(ticket.session)
        if session is None or ticket not in session.of(ticket):
            return
        session.of(ticket).remove(ticket)
        if not (session.main or session.sub):
            del self._sessions[ticket.session]
        elif served:
            self._sessions.move_to_end(ticket.session)
        following = self.next()
        if following is not None:
            following.turn.set()


class Lines:
    """The lines of one process, each kept as long as somebody stands in it or looks at it."""

    def __init__(self) -> None:
        self._lines: WeakValueDictionary[frozenset[str], Line] = WeakValueDictionary()

    def of(self, providers: frozenset[str]) -> Line:
        """Where to wait for these: the same for everybody who does."""
        line = self._lines.get(providers)
        if line is None:
            line = self._lines[providers] = Line()
        return line

    @property
    def waiting(self) -> int:
        """How many wait in all of them."""
        return sum(map(len, self._lines.values()))
