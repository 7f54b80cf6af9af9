"""Anthropic: the Messages API as it is."""

from typing import ClassVar

from relay.providers.provider import Provider


class Anthropic(Provider):
    """`type: anthropic`. Nothing differs from the defaults."""

    type: ClassVar[str] = "anthropic"
