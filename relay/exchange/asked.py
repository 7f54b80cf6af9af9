"""What else is asked: facts of a request that only some configurations need, read when they do."""

from collections.abc import Mapping
from typing import Final

from relay.exchange import signatures
from relay.exchange.inbound import COUNT_TOKENS, MESSAGES, Inbound
from relay.lazy import lazy
from relay.messages.estimate import estimate
from relay.messages.thinking import digests, is_signed
from relay.routing.affinity import Issuer
from relay.routing.session import is_sub_agent, session_id
from relay.routing.traits import Traits
from relay.state.store import Store

_MOST_DIGITS: Final = 15
_THINKS: Final = b'thinking"'  # ends both types of block


class Asked:
    """Of one exchange; each fact is read once, if at all."""

    def __init__(self, inbound: Inbound, client: str) -> None:
        """`client`: the client key's name."""
        self._inbound = inbound
        self._client = client
        self._issuers: Mapping[bytes, Issuer] | None = None
        # A quick look. Inside a text the quote would be escaped.
        is_message = inbound.path in (MESSAGES, COUNT_TOKENS)
        self._may_hold_thinking = is_message and _THINKS in inbound.body

    @lazy
    def session(self) -> str:
        """The session's id, "" where the request names none."""
        return session_id(self._inbound.headers, self._inbound.members)

    @property
    def is_sub_agent(self) -> bool:
        """Whether a sub-agent asks."""
        return is_sub_agent(self._inbound.headers)

    @property
    def thinking(self) -> tuple[bytes, ...]:
        """What tells the thinking blocks of the history from others, in its order."""
        return self._digests if self._may_hold_thinking else ()

    @lazy
    def has_signatures(self) -> bool:
        """Whether somebody has signed a block of the history."""
        members = self._inbound.members
        return members is not None and self._may_hold_thinking and is_signed(members)

    @lazy
    def _digests(self) -> tuple[bytes, ...]:
        members = self._inbound.members
        return digests(members) if members else ()

    def issuers(self, store: Store) -> Mapping[bytes, Issuer] | None:
        """Who issued those blocks that are remembered; None: there cannot be any."""
        if self._issuers is None and self._may_hold_thinking:
            self._issuers = signatures.issuers(store, self.thinking) if self.thinking else {}
        return self._issuers

    @lazy
    def input_tokens(self) -> int:
        """About how many input tokens it has, cached ones included."""
        return estimate(self._inbound.body)

    @lazy
    def max_tokens(self) -> int | None:
        """How many output tokens it allows; None where it does not say."""
        raw = self._inbound.members.get("max_tokens") if self._inbound.members else None
        return int(raw) if raw and raw.isdigit() and len(raw) <= _MOST_DIGITS else None

    @lazy
    def traits(self) -> Traits:
        """What scenarios look at."""
        return Traits(
            model=self._inbound.model,
            client=self._client,
            headers=self._inbound.headers,
            members=self._inbound.members,
            estimated_tokens=lambda: self.input_tokens,
        )
