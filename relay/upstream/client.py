"""The HTTP client of one provider: its proxy, its certificates, its connections."""

from relay.secret import Secret
from relay.upstream.pool import MAX_IDLE
from relay.upstream.tls import OnHandshake
from relay.upstream.transport import Call, Transport
from relay.wire import UpstreamRequest


class Client:
    """Sends requests; one serves any number of greenlets and threads at once."""

    def __init__(
        self,
        *,
        proxy: Secret | str = "",
        ca_file: str = "",
        max_idle: int = MAX_IDLE,
        on_handshake: OnHandshake | None = None,
    ) -> None:
        self._transport = Transport(
            proxy=proxy, ca_file=ca_file, max_idle=max_idle, on_handshake=on_handshake
        )

    def __repr__(self) -> str:
        return f"Client({self._transport!r})"

    def begin(self, request: UpstreamRequest) -> Call:
        """As `Transport.begin`."""
        return self._transport.begin(request)

    def close(self) -> None:
        """Close idle connections. Calls that run go on, and close theirs at their end."""
        self._transport.close()
