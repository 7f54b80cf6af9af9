"""`pricing:` — what models cost, where the shipped list prices are not yours."""

from typing import Any

from relay.config.schema.numbers import Ratio
from relay.config.schema.section import Section
from relay.config.schema.setting import Setting
from relay.config.schema.words import Text


def _dollars(doc: str) -> Setting[Any]:
    return Ratio(f"dollars per million {doc}", default=None, shown_default="none", most=10**6)


class PriceSection(Section):
    """The price of the models a pattern matches."""

    model = Text("an exact name, or a prefix followed by `*`")
    provider = Text("only there", default="")
    input = _dollars("input tokens")
    output = _dollars("output tokens")
    cache_read = _dollars("tokens read from the cache")
    cache_write_5m = _dollars("tokens written to the cache for five minutes")
    cache_write_1h = _dollars("tokens written to the cache for an hour")
