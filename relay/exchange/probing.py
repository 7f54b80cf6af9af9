"""Probing: ask a provider whose breaker is open whether it is there again (behaviour 10.3)."""

from typing import Final

from relay.breaker.probe import SEND_S
from relay.errors import UpstreamError
from relay.exchange.means import Means
from relay.wire import Timeouts, UpstreamRequest

_TIMEOUTS: Final = Timeouts(connect_s=SEND_S, first_byte_s=SEND_S, idle_s=SEND_S)
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity"}


def status(means: Means, provider: str) -> int | None:
    """What `GET /v1/models` is answered with; None: nothing, within `SEND_S` or so.

    No credential is shown. TLS and proxy are those of every request.
    """
    upstream = next((each for each in means.upstreams if each.name == provider), None)
    if upstream is None:
        return None
    url = upstream.provider.url(upstream.base_url, "/v1/models", "")
    try:
        call = upstream.http.begin(UpstreamRequest("GET", url, _HEADERS, b"", _TIMEOUTS))
        try:
            response = call.head(SEND_S)
            return response.status if response else None
        finally:
            call.close()
    except UpstreamError:
        return None
