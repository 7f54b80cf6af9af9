"""`routing:` — which provider takes a request, how often it is tried, and when it is answered."""

from typing import Final

from relay.config.model import (
    GateConfig,
    RetryBudgetConfig,
    RoutingConfig,
    SignaturesConfig,
)
from relay.config.schema.collections import Part, Renames
from relay.config.schema.numbers import Millis, Ratio, Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Switch, Text, Word

STRATEGIES: Final = (
    "failover",
    "round_robin",
    "weighted_round_robin",
    "shuffle",
    "least_loaded",
    "weighted_failover",
    "model_based",
    "cost_based",
    "latency_based",
    "cache_affinity",
)


class RetryBudgetSection(Section):
    """How many attempts beyond the first the relay allows itself."""

    fills = RetryBudgetConfig
    ratio = Ratio(
        "each exchange adds this much to the budget, each attempt beyond the first takes 1",
        default=0.2,
        most=1,
    )
    reserve = Whole("what the budget starts with, per worker", default=10)


class GateSection(Section):
    """How long a stream is held back until it shows that it works."""

    fills = GateConfig
    first_event_ms = Millis(
        "longest wait for the first event of a stream before committing anyway",
        default=20_000,
        least=1000,
    )
    content_ms = Millis(
        "after the first event, longest wait for the first content event", default=200, most=5000
    )


class SignaturesSection(Section):
    """The memory of who issued a thinking block."""

    fills = SignaturesConfig
    ttl_ms = Millis(
        "how long the issuer of a thinking block is remembered", default=604_800_000, least=60_000
    )
    max_entries = Whole("bound of that memory; the oldest go first", default=200_000, least=1000)


class RoutingSection(Section):
    """Which provider takes a request, how often it is tried, and when it is answered."""

    fills = RoutingConfig
    strategy = Word(
        'how providers are ordered; "" = `failover`',
        words=("", *STRATEGIES),
        default="",
    )
    model_mapping = Renames(
        "model-name prefix → provider name", default=dict, refused="empty with `model_based`"
    )
    default_provider = Text("`model_based`: where unmatched models go", default="")
    failover_timeout = Millis(
        "after the first failed attempt, further attempts may start only within this time; "
        "0 = the default",
        default=5000,
        zero=5000,
    )
    max_attempts = Whole("attempts per exchange, the first included", default=4, least=1)
    retry_budget = Part(RetryBudgetSection)
    retry_ambiguous = Switch(
        "also try another provider (never the same one) when a request was sent and no answer came",
        default=True,
    )
    hedge_after_ms = Millis(
        "silence before commit after which a second candidate is asked too; 0 = off", default=0
    )
    queue_ms = Millis(
        "how long an exchange may wait for room when every usable key is taken; 0 = off",
        default=0,
        most=60_000,
    )
    queue_size = Whole("waiting exchanges per worker; more get the 429 at once", default=100)
    gate = Part(GateSection)
    session_ttl_ms = Millis(
        "how long `cache_affinity` remembers where a session went",
        default=3_600_000,
        least=60_000,
    )
    signatures = Part(SignaturesSection)
    debug = Switch("debug response headers (`X-CC-Relay-…`)", default=False)
