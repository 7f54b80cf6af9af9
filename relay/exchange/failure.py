"""An attempt that is not the client's answer yet, and what it left behind."""

from dataclasses import dataclass

from relay.breaker.classify import Verdict
from relay.exchange.account import Account
from relay.exchange.answer import Answer
from relay.exchange.debug import debug_headers
from relay.exchange.exchange import Exchange
from relay.exchange.reply import Reply


@dataclass(frozen=True, slots=True)
class Failure:
    """Who failed and how; `answer` is what the upstream said, where it said something."""

    account: Account
    """Closed."""
    verdict: Verdict
    answer: Answer | None
    reason: str

    def reply(self, exchange: Exchange) -> Reply:
        """The kept answer as the client's, when nobody did better.

        Precondition: there is an answer.
        """
        if self.answer is None:
            raise ValueError("no answer was kept")
        reply = self.answer.reply(pooled=self.account.is_pooled)
        if exchange.means.config.routing.debug:
            reply.headers.extend(self.debug_headers(exchange))
        return reply

    def debug_headers(self, exchange: Exchange) -> list[tuple[str, str]]:
        """The `X-CC-Relay-*` headers of this attempt."""
        return debug_headers(exchange, self.account)
