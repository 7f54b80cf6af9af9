"""From an attempt that may be shown to the client to the reply that shows it.

From here on no other upstream is asked: the body owns the response, the lease and the end of the
exchange (architecture, decision 2).
"""

from typing import Final, Literal

from relay.exchange.debug import debug_headers
from relay.exchange.exchange import Exchange
from relay.exchange.outbound import Credential
from relay.exchange.reply import Reply
from relay.exchange.upstream import Upstream
from relay.messages.usage import Usage
from relay.stream.body import Body, Ending, ReadsBytes
from relay.stream.gate import Committed
from relay.stream.watch import PlainWatch, StreamWatch
from relay.upstream.headers import response_headers
from relay.wire import UpstreamResponse

# Cut connections make it repeat the turn as a stream; an error event would not (gateway 2.7).
_REPEATS_AFTER_A_CUT: Final = "claude-cli/"


class Committing:
    """Builds the reply of one committed attempt."""

    def __init__(
        self, exchange: Exchange, upstream: Upstream, credential: Credential, source: ReadsBytes
    ) -> None:
        self._exchange = exchange
        self._upstream = upstream
        self._credential = credential
        self._source = source

    def answered(self, response: UpstreamResponse, admitted: Committed) -> Reply:
        """A success: what the gate held first, then the rest as it comes."""
        return self._reply(response.status, self._relayed_headers(response), admitted)

    def passed(self, response: UpstreamResponse) -> Reply:
        """An answer nobody has to look into, relayed as it is: an error that nobody else is asked
        about, or whatever another path than the messages' brings.
        """
        coding = dict(response.headers).get("content-encoding", "")
        headers = self._relayed_headers(response)
        return self._reply(response.status, headers, Committed(b"", PlainWatch(coding)))

    def unanswered(self) -> Reply:
        """A stream whose upstream has not answered within the gate's time: pings begin at once."""
        headers = response_headers([("content-type", "text/event-stream")], pooled=False)
        return self._reply(200, headers, Committed(b"", StreamWatch()))

    def _relayed_headers(self, response: UpstreamResponse) -> list[tuple[str, str]]:
        pooled = self._credential.is_ours and self._upstream.pool.total > 1
        return response_headers(response.headers, pooled=pooled)

    def _reply(self, status: int, headers: list[tuple[str, str]], committed: Committed) -> Reply:
        exchange = self._exchange
        config = exchange.means.config
        if config.routing.debug:
            headers += debug_headers(exchange, self._upstream, self._credential)
        if self._credential.lease is not None:
            exchange.settlement.owes(self._credential.lease.release)
        exchange.settlement.committed()

        def settle(ending: Ending, usage: Usage) -> None:
            exchange.settlement.end(status, ending.name.lower(), usage)

        body = Body(
            source=self._source,
            committed=committed,
            ping_interval_s=config.server.ping_interval_ms / 1000,
            failure=self._failure(config.server.stream_failure),
            presence=exchange.presence,
            outlet=exchange.outlet if committed.watch.events else None,
            on_close=settle,
        )
        exchange.settlement.owes(body.close)
        return Reply(status, headers, body)

    def _failure(self, configured: Literal["auto", "cut", "event"]) -> Literal["cut", "event"]:
        if configured != "auto":
            return configured
        agent = self._exchange.inbound.headers.get("user-agent", "")
        return "cut" if agent.startswith(_REPEATS_AFTER_A_CUT) else "event"
