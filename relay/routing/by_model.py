"""Model based: the model's name says which provider is asked (behaviour 7.3).

    the provider of the longest prefix that fits ──► default_provider
                                                └──► all others as in failover, without a default

This strategy is a filter too: with a default that is known, nobody but these two is asked.
"""

from collections.abc import Collection, Mapping, Sequence

from relay.routing.candidate import Candidate
from relay.routing.strategies import failover


def model_based(
    candidates: Sequence[Candidate],
    model: str,
    mapping: Mapping[str, str],
    default_provider: str,
    known_names: Collection[str],
) -> list[Candidate]:
    """The route of `model`, the client's name for it, "" for none. May be empty.

    `mapping` is `routing.model_mapping`, prefix → provider; case matters. `known_names` are all
    enabled providers, whether they can be selected or not: a default that is merely down is still
    the default, one that does not exist counts as none.
    """
    matching = target(model, mapping)
    first = [candidate for candidate in candidates if candidate.name == matching]
    others = [candidate for candidate in candidates if candidate.name != matching]
    if default_provider in known_names:
        return first + [other for other in others if other.name == default_provider]
    return first + failover(others)


def target(model: str, mapping: Mapping[str, str]) -> str | None:
    """The provider that the longest fitting prefix names, or None."""
    fitting = [prefix for prefix in mapping if model.startswith(prefix)]
    return mapping[max(fitting, key=len)] if fitting else None
