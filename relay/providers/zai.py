"""Z.AI: an endpoint that speaks the Messages API for GLM models."""

from typing import ClassVar

from relay.providers.provider import Provider


class Zai(Provider):
    """`type: zai`. Nothing differs from the defaults: the key goes out as `x-api-key`."""

    type: ClassVar[str] = "zai"
