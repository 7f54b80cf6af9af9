"""The claim of one attempt on one key, and what there is instead while no key is to be had."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.keys.member import Member
from relay.limits.kinds import Amounts
from relay.state.store import Store, Taken


@dataclass(frozen=True, slots=True)
class Resting:
    """No key is to be had. `wait_s`: until one may be; infinite where waiting changes nothing."""

    wait_s: float
    is_taken: bool = False
    """Some key merely has no room: it may have some sooner, when others use less than they took."""


class Lease:
    """Made by `KeyPool.lease`; whoever has it calls `settle`."""

    __slots__ = ("_settled", "_store", "_taken", "id", "key", "member", "position")

    def __init__(
        self, store: Store, member: Member, provider: str, taken: Taken | None = None
    ) -> None:
        """`taken`: what the key's windows have counted for it, None where nothing is counted."""
        self.position = member.position
        """Place in the configuration's list, from 0."""
        self.member = member
        self.key = member.key
        self.id = f"{provider}/{member.position}"
        """What people may see of the key."""
        self._store = store
        self._taken = taken
        self._settled = False

    @property
    def in_flight(self) -> str:
        """The name of the lasting claim that is to be renewed; "" where there is none."""
        taken = self._taken
        lasting = taken is not None and not self._settled and taken.claims[-1].lasting
        return self.member.in_flight if lasting else ""

    def settle(
        self, used: Amounts | None = None, look: Sequence[str] = ()
    ) -> Sequence[bytes | None]:
        """Give the key back, with what was used of its minute; None: as it was claimed.

        Only the first call counts. Returns the records by the names `look`, if the store was asked.
        """
        if self._settled:
            return ()
        self._settled = True
        taken = self._taken
        if taken is None:
            return ()
        kinds = self.member.kinds
        amounts = [
            0 if claim.lasting else claim.amount if used is None else used[kinds[claim.name]]
            for claim in taken.claims
        ]
        return self._store.settle(taken, amounts, look)

    def __repr__(self) -> str:
        return f"Lease({self.id}{', settled' if self._settled else ''})"
