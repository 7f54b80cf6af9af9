"""Expected: what a request will take, before anybody knows (behaviour 9.3, *Reserve*).

Input is estimated from the body, less what the session had in the prompt cache the last time;
output is what this provider and model gave lately, twice over. Both are put right at the end.
"""

from collections import OrderedDict
from typing import Final

from relay.messages.usage import Usage

FIRST_OUTPUT: Final = 1024
"""Output tokens that are reserved while none have been seen."""

# Names of models come from clients.
_MOST_NAMES: Final = 1000
# Of the average, the newest answer is so much: some ten answers make it.
_NEWEST: Final = 0.2


class Outputs:
    """The recent average output by provider and model. One for a process."""

    def __init__(self) -> None:
        self._averages: OrderedDict[tuple[str, str], float] = OrderedDict()

    def expected(self, provider: str, model: str, max_tokens: int | None) -> int:
        """Output tokens to reserve: never more than the request allows."""
        average = self._averages.get((provider, model))
        expected = FIRST_OUTPUT if average is None else max(round(2 * average), 1)
        return expected if max_tokens is None else min(expected, max_tokens)

    def seen(self, provider: str, model: str, tokens: int) -> None:
        """An answer was so long."""
        name = provider, model
        before = self._averages.pop(name, None)
        self._averages[name] = tokens if before is None else before + _NEWEST * (tokens - before)
        if len(self._averages) > _MOST_NAMES:
            self._averages.popitem(last=False)


def cached_share(usage: Usage) -> float:
    """Which part of its input a request read from the prompt cache, from 0 to 1."""
    total = usage.input_tokens + usage.cache_write + usage.cache_read
    return usage.cache_read / total if total else 0.0
