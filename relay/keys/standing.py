"""Standing: how the keys of one provider stand at one moment of the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.keys import known
from relay.keys.known import UNKNOWN, Known
from relay.keys.member import Member
from relay.limits.kinds import Limits

_NONE: Final[Mapping[bytes, Known]] = {}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store has said of the keys of one provider, and when."""

    now: float
    """Unix seconds of the store."""
    keys: Mapping[bytes, Known]
    """By their digests; empty as a rule."""

    @classmethod
    def of_record(cls, record: bytes | None, now: float) -> "Standing":
        """Read the provider's record."""
        return cls(now, known.read(record) if record else _NONE)

    def of(self, member: Member) -> Known:
        """What is known of one key."""
        return self.keys.get(member.digest, UNKNOWN)

    def is_usable(self, member: Member) -> bool:
        """Whether it neither rests nor is set aside."""
        state = self.keys.get(member.digest)
        return state is None or max(state.rests_until, state.aside_until) <= self.now

    def is_aside(self, member: Member) -> bool:
        """Whether it is set aside, and does not rest as well: a last resort."""
        state = self.of(member)
        return state.aside_until > self.now >= state.rests_until

    def limits(self, member: Member) -> Limits:
        """The smaller of what is configured and what was learned."""
        state = self.keys.get(member.digest) if self.keys else None
        return member.limits if state is None else member.limits.beside(state.limits)


@dataclass(frozen=True, slots=True)
class KeyState:
    """How one key stands, in seconds from now."""

    position: int
    rests_s: float
    """It was throttled."""
    aside_s: float
    """It was refused."""
    room_s: float
    """Until its limits may have room."""
    used: tuple[float, ...]
    """The smallest is the one that `least_loaded` leases."""

    @property
    def wait_s(self) -> float:
        """Until it may be usable; 0: it is."""
        return max(self.rests_s, self.aside_s, self.room_s)
