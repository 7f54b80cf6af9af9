"""What a provider is: the hooks that put a request into an upstream's dialect.

They run in a fixed order, the same for all: url → headers → body → authorize. `authorize` is last
because a signature covers everything before it.

A provider overrides the hooks that differ and holds no state: one instance serves every exchange.
The defaults are the Messages API itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from relay.secret import Secret
from relay.wire import UpstreamRequest


class Provider:
    """A provider that speaks the Messages API itself."""

    type: ClassVar[str]
    """The word of `providers[].type`."""

    def url(self, base_url: str, path: str, query: str) -> str:
        """The URL for a path of the Messages API, e.g. `/v1/messages`; the query is kept."""
        return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"

    def headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The end-to-end headers, credentials already out; names in lower case."""
        return headers

    def body(self, body: bytes) -> bytes:
        """The body, changed by the smallest edit or not at all."""
        return body

    def authorize(self, outbound: UpstreamRequest, key: Secret) -> UpstreamRequest:
        """Add the configured credential. Runs last: a signature covers the finished request."""
        return replace(outbound, headers={**outbound.headers, "x-api-key": key.reveal()})
