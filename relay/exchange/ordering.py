"""Ordering: the strategy of the configuration, with what it counts and remembers in the store.

The orders themselves are pure (`relay.routing`); here they get their turns, loads, latencies and
sessions.
"""

from collections.abc import Callable, Mapping, Sequence
from random import SystemRandom
from typing import Final

from relay.exchange import sessions
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.standing import Standing
from relay.routing import latency, strategies
from relay.routing.by_model import model_based
from relay.routing.candidate import Candidate, set_id
from relay.routing.deck import shuffle
from relay.routing.rename import renamed
from relay.routing.rendezvous import cache_affinity
from relay.routing.smooth import weighted_round_robin
from relay.routing.strategies import Load

_RANDOM: Final = SystemRandom()
# Any will do that is the same for all workers: it only keeps decks apart from other hashes.
_DECKS: Final = b"cc-relay"
# Names of models come from clients.
_LONGEST_MODEL: Final = 100

Candidates = Sequence[Candidate]


class Ordering:
    """Orders the candidates of one exchange."""

    def __init__(self, exchange: Exchange, asked: Asked, standing: Standing, model: str) -> None:
        """`model`: as it is asked for, or as a scenario has it."""
        self._exchange = exchange
        self._model = model
        self._asked = asked
        self._standing = standing
        self._config = exchange.means.config.routing
        self._store = exchange.means.lasting.store
        self._peek = False
        self.key_digest = b""
        """The key that holds the session's prompt cache, of the first upstream; empty: any."""

    def order(self, candidates: Candidates, *, peek: bool = False) -> list[Candidate]:
        """As the strategy has it; `peek`: without moving what it counts."""
        self._peek = peek
        ordered = _STRATEGIES.get(self._config.strategy)
        return ordered(self, candidates) if ordered else strategies.failover(candidates)

    def _turn(self, name: str, within: str = "") -> int:
        return self._store.count(f"strategy/{name}", 0 if self._peek else 1, within)

    def _round_robin(self, candidates: Candidates) -> list[Candidate]:
        return strategies.round_robin(candidates, self._turn("round_robin"))

    def _weighted_round_robin(self, candidates: Candidates) -> list[Candidate]:
        turn = self._turn("weighted_round_robin", set_id(candidates))
        return weighted_round_robin(candidates, turn)

    def _shuffle(self, candidates: Candidates) -> list[Candidate]:
        return shuffle(candidates, self._turn("shuffle", set_id(candidates)), _DECKS)

    def _least_loaded(self, candidates: Candidates) -> list[Candidate]:
        found = self._store.loads([load_name(each.name) for each in candidates])
        loads = {
            candidate.name: Load(load.held, load.taken_at)
            for candidate, load in zip(candidates, found, strict=True)
        }
        return strategies.least_loaded(candidates, loads)

    def _weighted_failover(self, candidates: Candidates) -> list[Candidate]:
        return strategies.weighted_failover(candidates, _RANDOM)

    def _model_based(self, candidates: Candidates) -> list[Candidate]:
        return model_based(
            candidates,
            self._exchange.model,
            self._config.model_mapping,
            self._config.default_provider,
            [upstream.name for upstream in self._exchange.means.upstreams],
        )

    def _latency_based(self, candidates: Candidates) -> list[Candidate]:
        mappings = {each.name: each.config.model_mapping for each in self._exchange.means.upstreams}
        names = [
            latency_name(each.name, renamed(self._model, mappings[each.name]))
            for each in candidates
        ]
        latencies = {
            candidate.name: latency.value(record, self._standing.now)
            for candidate, record in zip(candidates, self._store.recall(names), strict=True)
        }
        return strategies.latency_based(candidates, latencies)

    def _cache_affinity(self, candidates: Candidates) -> list[Candidate]:
        session = self._asked.session
        last = sessions.whereabouts(self._store, session) if session else None
        order = cache_affinity(candidates, session, last.provider if last else None)
        if last and order[0].name == last.provider:
            self.key_digest = last.key_digest
        return order


_STRATEGIES: Final[Mapping[str, Callable[[Ordering, Candidates], list[Candidate]]]] = {
    "round_robin": Ordering._round_robin,  # noqa: SLF001  its own table
    "weighted_round_robin": Ordering._weighted_round_robin,  # noqa: SLF001
    "shuffle": Ordering._shuffle,  # noqa: SLF001
    "least_loaded": Ordering._least_loaded,  # noqa: SLF001
    "weighted_failover": Ordering._weighted_failover,  # noqa: SLF001
    "model_based": Ordering._model_based,  # noqa: SLF001
    "latency_based": Ordering._latency_based,  # noqa: SLF001
    "cache_affinity": Ordering._cache_affinity,  # noqa: SLF001
}


def load_name(provider: str) -> str:
    """The lasting claims of exchanges in flight to a provider, in the store."""
    return f"provider/{provider}"


def latency_name(provider: str, model: str) -> str:
    """The fact of how soon a provider's model answers; by the name it is sent."""
    return f"latency/{provider}/{model[:_LONGEST_MODEL]}"
