"""The account of one attempt: what it holds, and what its outcome teaches everybody.

    begin ──► answered ──► failed | refused | ended | dropped
      lease, permit, load     lease settled, breaker told, key judged: once, whatever happens

The lease knows its key's minute, the permit the provider's breaker, the load how many exchanges the
provider has. Called from wherever an attempt can end: before commit by `attempt`, after it by the
body's end.
"""

from collections.abc import Sequence

from relay.breaker import classify
from relay.breaker.breaker import Permit
from relay.breaker.classify import Counts, Scope, Verdict
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import MESSAGES
from relay.exchange.key_judge import KeyJudge
from relay.exchange.ordering import load_name
from relay.exchange.outbound import Credential
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.limits.kinds import A_REQUEST, NOTHING, Amounts
from relay.limits.learned import NOTHING_LEARNED, learned
from relay.messages.usage import NO_USAGE, Usage
from relay.state.store import Claim, Full, Taken

Headers = Sequence[tuple[str, str]]

_NEVER_SENT = frozenset({Scope.NETWORK, Scope.OURSELVES})


class Account:
    """Opened before anything is sent. Every method but `answered` closes it; the first counts."""

    def __init__(
        self,
        exchange: Exchange,
        upstream: Upstream,
        credential: Credential,
        permit: Permit,
        standing: Standing,
    ) -> None:
        self.upstream = upstream
        self.credential = credential
        self.standing = standing
        """As it was before anything was sent."""
        self._exchange = exchange
        self._permit = permit
        self._lasting = exchange.means.lasting
        self.model = ""
        """As it is sent."""
        lease = credential.lease
        self._lease = lease
        self.began = self._lasting.clock.monotonic()
        """When it was opened, in seconds."""
        self._load = self._loaded()
        self.is_closed = False
        """Nothing more can be learned from it."""
        self._id = lease.id if lease else upstream.name
        self._lasting.running.begin(self._id)
        keeper = self._lasting.keeper
        if lease and lease.in_flight:
            keeper.claim(lease.in_flight)
        if permit.place is not None:
            keeper.place(permit)

    @property
    def is_pooled(self) -> bool:
        """Whether what the answer says of limits is about keys of ours, not about the client."""
        return self.credential.is_ours and self.upstream.pool.total > 1

    @property
    def counts_tokens(self) -> bool:
        """Whether a limit on tokens is counted for it."""
        return self._lease is not None and self.upstream.pool.counts_tokens(
            self.standing.keys(self.upstream)
        )

    @property
    def _key(self) -> KeyJudge | None:
        lease, upstream = self._lease, self.upstream
        if lease is None:
            return None
        means, standing = self._exchange.means, self.standing.keys(upstream)
        return KeyJudge(means, upstream, lease, standing, self.began)

    def sends(self, model: str) -> None:
        """The model's name as it is sent."""
        self.model = model

    def answered(self, headers: Headers) -> None:
        """What every answer teaches, whatever becomes of it."""
        found = learned(headers, now_wall=self._lasting.clock.wall())
        key = self._key if found is not NOTHING_LEARNED else None
        if key is not None:
            key.learn(found)

    def rests_s(self, headers: Headers) -> float | None:
        """How long the key rests if this is its 429; None where the credential is not ours."""
        key = self._key
        return key.rest_s(headers) if key is not None else None

    def failed(self, verdict: Verdict, reason: str, headers: Headers = ()) -> None:
        """It did not become the client's answer, or was judged without being looked into."""
        if self.is_closed:
            return
        self._judge_key(verdict, headers)
        self._close(_used_by(verdict), verdict.counts, reason)

    def ended(self, verdict: Verdict, reason: str, usage: Usage) -> None:
        """A body that was committed has ended; `verdict` judges its end."""
        if self.is_closed:
            return
        if usage.output_tokens and self._lease is not None:
            self._lasting.outputs.seen(self.upstream.name, self.model, usage.output_tokens)
        self._judge_key(verdict)
        self._close(self._used(usage), verdict.counts, reason)

    def _judge_key(self, verdict: Verdict, headers: Headers = ()) -> None:
        if verdict is classify.GOOD and not self.standing.keys(self.upstream).keys:
            return  # well it is, as nearly always
        key = self._key
        if key is None:
            return
        if verdict is classify.GOOD:
            key.worked()
        else:
            key.failed(verdict, headers)

    def _used(self, usage: Usage) -> Amounts | None:
        if self._exchange.inbound.path != MESSAGES:
            return A_REQUEST
        return None if usage == NO_USAGE else Amounts.used(usage)

    def dropped(self, *, sent: bool = True) -> None:
        """The client left, or another attempt was faster: nobody is to blame.

        Without `sent` the upstream never had it.
        """
        if not self.is_closed:
            self._close(None if sent else NOTHING, Counts.NEUTRAL, "")

    def _close(self, used: Amounts | None, counts: Counts, reason: str) -> None:
        """Each part whatever becomes of the others: over a network a step may be broken off."""
        self.is_closed = True
        self._lasting.running.finish(self._id)
        seen: Sequence[bytes | None] = ()
        try:
            seen = self._give_back(used, counts)
        finally:
            if self._permit.place is not None:
                self._lasting.keeper.free(self._permit)
            self._tell(counts, reason, seen)

    def _give_back(self, used: Amounts | None, counts: Counts) -> Sequence[bytes | None]:
        """Settle, before the keeper hears of it: in between it renews one too many, not one too
        few. What a success has to know of the breaker is looked up in the same step.
        """
        keeper, load, lease = self._lasting.keeper, self._load, self._lease
        try:
            if load is not None:
                try:
                    self._lasting.store.settle(load, (0,))
                finally:
                    keeper.unclaim(load.claims[0].name)
        finally:
            seen: Sequence[bytes | None] = ()
            if lease is not None:
                in_flight = lease.in_flight
                look = (self._breaker,) if counts is Counts.SUCCESS else ()
                try:
                    seen = lease.settle(used, look)
                finally:
                    if in_flight:
                        keeper.unclaim(in_flight)
        return seen

    @property
    def _breaker(self) -> str:
        return self._lasting.breakers.name(self.upstream.name)

    def _tell(self, counts: Counts, reason: str, seen: Sequence[bytes | None]) -> None:
        match counts:
            case Counts.SUCCESS:
                self._permit.success(seen)
            case Counts.FAILURE:
                self._permit.failure(reason)
            case Counts.NEUTRAL:
                self._permit.neutral()

    def _loaded(self) -> Taken | None:
        if self._exchange.means.config.routing.strategy != "least_loaded":
            return None
        name = load_name(self.upstream.name)
        taken = self._lasting.store.take([[Claim(name, 1, lasting=True)]])
        if isinstance(taken, Full):
            return None
        self._lasting.keeper.claim(name)
        return taken


def _used_by(verdict: Verdict) -> Amounts | None:
    """What a failed attempt has used of its key's minute; None: as it was claimed."""
    if verdict.scope in _NEVER_SENT:
        return NOTHING
    if verdict.scope is Scope.AMBIGUOUS:  # it may have been acted on
        return None
    return A_REQUEST
