"""From an attempt that may be shown to the client to the reply that shows it.

From here on no other upstream is asked: the body owns the response, the account and the end of the
exchange (architecture, decision 2).
"""

from typing import Final, Literal

from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.debug import debug_headers
from relay.exchange.exchange import Exchange
from relay.exchange.finish import Finish
from relay.exchange.learning import Learning, reads_text
from relay.exchange.reply import Reply
from relay.stream.body import Body, ReadsBytes
from relay.stream.gate import Committed
from relay.stream.watch import PlainWatch, StreamWatch
from relay.upstream.headers import response_headers
from relay.wire import UpstreamResponse

# Cut connections make it repeat the turn as a stream; an error event would not (gateway 2.7).
_REPEATS_AFTER_A_CUT: Final = "claude-cli/"
_OK: Final = range(200, 300)


class Committing:
    """Builds the reply of one committed attempt."""

    def __init__(
        self,
        exchange: Exchange,
        asked: Asked,
        account: Account,
        source: ReadsBytes,
        *,
        sent_at: float = 0.0,
    ) -> None:
        """`sent_at`: when the request was sent, on the monotonic clock."""
        self._exchange = exchange
        self._asked = asked
        self._account = account
        self._source = source
        self._sent_at = sent_at

    def answered(self, response: UpstreamResponse, admitted: Committed) -> Reply:
        """A success: what the gate held first, then the rest as it comes."""
        Learning(self._exchange, self._asked, self._account).committed(self._sent_at)
        return self._reply(response.status, self._relayed_headers(response), admitted)

    def passed(
        self, response: UpstreamResponse, held: bytes = b"", *, complete: bool = False
    ) -> Reply:
        """An answer relayed as it is: an error that nobody else is asked about, or whatever another
        path than the messages' brings. `held`: what of it has been read, to be judged.
        """
        watch = PlainWatch(dict(response.headers).get("content-encoding", ""))
        watch.feed(held)
        headers = self._relayed_headers(response)
        return self._reply(response.status, headers, Committed(held, watch, complete=complete))

    def unanswered(self) -> Reply:
        """A stream whose upstream has not answered within the gate's time: pings begin at once."""
        headers = response_headers([("content-type", "text/event-stream")], pooled=False)
        return self._reply(
            200, headers, Committed(b"", StreamWatch(reads_text=reads_text(self._account.upstream)))
        )

    def _relayed_headers(self, response: UpstreamResponse) -> list[tuple[str, str]]:
        return response_headers(response.headers, pooled=self._account.is_pooled)

    def _reply(self, status: int, headers: list[tuple[str, str]], committed: Committed) -> Reply:
        exchange, account = self._exchange, self._account
        config = exchange.means.config
        if config.routing.debug:
            headers += debug_headers(exchange, account)
        finish = Finish(exchange, self._asked, account, self._source, status, committed.watch)
        exchange.settlement.owes(finish.dropped)
        exchange.settlement.committed()
        body = Body(
            source=self._source,
            committed=committed,
            ping_interval_s=config.server.ping_interval_ms / 1000,
            failure=failure_mode(exchange),
            presence=exchange.presence,
            outlet=exchange.outlet if committed.watch.events else None,
            on_close=finish.closed,
            on_whole=finish.whole,
        )
        exchange.settlement.owes(body.close)
        return Reply(status, headers, body)


def failure_mode(exchange: Exchange) -> Literal["cut", "event"]:
    """How a stream of this client's ends when it breaks (behaviour 4.8)."""
    configured = exchange.means.config.server.stream_failure
    if configured != "auto":
        return configured
    agent = exchange.inbound.headers.get("user-agent", "")
    return "cut" if agent.startswith(_REPEATS_AFTER_A_CUT) else "event"
