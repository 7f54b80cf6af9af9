"""One try with one upstream and one credential: send, judge, and either commit or fail.

    outbound ► http.begin ► head ──► 2xx ► gate ──► Reply (committed; the body owns everything)
                             │            └──────► Failure
                             ├── other status ───► Reply (nobody else is asked) or Failure
                             └── silent stream ──► Reply, committed before the answer (8.4)

What a failure means for key and breaker, and whether somebody else is asked, is
`breaker.classify`'s, and before it the operator's rules'.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from relay.breaker import classify
from relay.breaker.classify import Next, Verdict
from relay.errors import InvalidRequest, UpstreamError
from relay.exchange import count_tokens
from relay.exchange.account import Account
from relay.exchange.answer import Answer, begin, keep
from relay.exchange.asked import Asked
from relay.exchange.committed import Committing
from relay.exchange.exchange import Exchange
from relay.exchange.failure import Failure
from relay.exchange.inbound import COUNT_TOKENS, MESSAGES
from relay.exchange.judging import Judging
from relay.exchange.late import LateResponse
from relay.exchange.learning import Learning, reads_text
from relay.exchange.outbound import outbound
from relay.exchange.reply import Reply
from relay.exchange.route import Route
from relay.stream.body import ReadsBytes
from relay.stream.gate import Committed, Refused
from relay.upstream.call import Call
from relay.wire import UpstreamResponse

log = logging.getLogger("relay.exchange")

_OK: Final = range(200, 300)


class Attempt:
    """One try. `run` is called once."""

    def __init__(
        self,
        exchange: Exchange,
        asked: Asked,
        account: Account,
        route: Route,
        won: Callable[[Account], None] | None = None,
    ) -> None:
        """`won` is asked right before anything is committed; it raises where another was first."""
        self._exchange = exchange
        self._won = won
        self._asked = asked
        self._account = account
        self._route = route
        self._upstream = account.upstream
        self._credential = account.credential
        self._means = exchange.means
        self._asked_for: tuple[str, str, str, tuple[str, ...]] = ("", "", "", ())

    def run(self) -> Reply | Failure:
        """Send and judge. The account is closed by the failure, or by the body's end."""
        try:
            return self._send()
        except InvalidRequest:  # never sent
            self._account.dropped(sent=False)
            raise
        except BaseException:  # the client left: give back, then let it pass
            self._account.dropped()
            raise

    def _send(self) -> Reply | Failure:
        exchange = self._exchange
        out = outbound(
            exchange.inbound,
            self._upstream,
            self._credential,
            self._route.model,
            self._asked.issuers(self._means.lasting.store),
        )
        lease = self._credential.lease
        key = lease.id if lease else ""
        self._asked_for = (self._upstream.name, key, out.model, out.mutations)
        exchange.settlement.attempted(*self._asked_for)
        self._account.sends(out.model)
        try:
            call = self._upstream.http.begin(out.request)
        except UpstreamError as error:
            return self._failed(error)
        except ValueError as error:  # a query or header that no HTTP request can carry
            raise InvalidRequest(str(error)) from error
        try:
            outcome = self._answered(call)
        except UpstreamError as error:
            call.close()
            return self._failed(error)
        except BaseException:
            call.close()
            raise
        if isinstance(outcome, Failure):
            call.close()
        return outcome

    def _answered(self, call: Call) -> Reply | Failure:
        asked_stream = self._exchange.inbound.stream
        wait_s = self._means.config.routing.gate.first_event_ms / 1000 if asked_stream else None
        response = call.head(wait_s)
        if response is None:
            return self._unanswered(call)
        self._see(response)
        if response.status not in _OK:
            return self._refused(response)
        if self._exchange.inbound.path not in (MESSAGES, COUNT_TOKENS):
            return self._commit(response).passed(response)
        admitted = self._means.gate.admit(
            response, sent_at=call.sent_at, reads_text=reads_text(self._upstream)
        )
        if isinstance(admitted, Committed):
            return self._commit(response, sent_at=call.sent_at).answered(response, admitted)
        return self._unusable(admitted)

    def _unanswered(self, call: Call) -> Reply:
        def answered(response: UpstreamResponse) -> None:
            self._see(response)
            if response.status in _OK:
                Learning(self._exchange, self._asked, self._account).committed(call.sent_at)

        late = LateResponse(
            call, self._means.lasting.clock, ours=self._credential.is_ours, on_answer=answered
        )
        return self._commit(late).unanswered()

    def _see(self, response: UpstreamResponse) -> None:
        """What every answer teaches, whatever becomes of it."""
        self._means.inspection.response(
            self._exchange.inbound.request_id,
            self._upstream.name,
            response.status,
            response.headers,
        )
        self._account.answered(response.headers)

    def _commit(self, source: ReadsBytes, *, sent_at: float = 0.0) -> Committing:
        if self._won is not None:
            self._won(self._account)
            self._exchange.settlement.answers(*self._asked_for)
        return Committing(self._exchange, self._asked, self._account, source, sent_at=sent_at)

    def _refused(self, response: UpstreamResponse) -> Reply | Failure:
        status = response.status
        if self._exchange.inbound.path == COUNT_TOKENS and status in count_tokens.UNKNOWN_HERE:
            response.close()
            count_tokens.remember(self._means.lasting, self._upstream)
            self._account.failed(classify.of_status(status, ours=self._credential.is_ours), "")
            return count_tokens.estimated(self._exchange.inbound)
        judging = Judging(self._means, self._account)
        if not judging.needs_body(status):
            return self._commit(response).passed(response)
        if judging.is_theirs(status):
            return self._theirs(response, judging)
        answer = keep(response, self._means.lasting.clock)
        verdict = judging.answer(status, response.headers, answer)
        return self._failure(verdict, f"answered {status}", answer, response.headers)

    def _theirs(self, response: UpstreamResponse, judging: Judging) -> Reply | Failure:
        """The client's own matter, unless an operator's rule says otherwise."""
        status = response.status
        held, whole = begin(response, self._means.lasting.clock)
        answer = Answer(status, response.headers, held) if whole else None
        verdict = judging.answer(status, response.headers, answer)
        if verdict.next is not Next.NONE:
            response.close()
            return self._failure(verdict, f"answered {status}", answer, response.headers)
        return self._commit(response).passed(response, held, complete=whole)

    def _failed(self, error: UpstreamError) -> Failure:
        verdict = classify.of_error(
            error, retry_ambiguous=self._means.config.routing.retry_ambiguous
        )
        return self._failure(verdict, str(error))

    def _unusable(self, refused: Refused) -> Failure:
        judging = Judging(self._means, self._account)
        if refused.kind != "error_event":
            reason = f"unusable answer: {refused.message}"
            ruled = judging.ruled(refused.error_type, refused.message)
            return self._failure(ruled or classify.of_unusable(), reason)
        verdict = judging.event(refused.error_type, refused.message)
        answer = Answer(
            classify.status_of_event(refused.error_type),
            [("content-type", "application/json")],
            refused.body,
        )
        return self._failure(verdict, f"{refused.error_type}: {refused.message}", answer)

    def _failure(
        self,
        verdict: Verdict,
        reason: str,
        answer: Answer | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Failure:
        took_s = self._means.lasting.clock.monotonic() - self._account.began
        lease = self._credential.lease
        fields = {
            "provider": self._upstream.name,
            "key": lease.id if lease else None,
            "outcome": verdict.scope.name.lower(),
            "rule": verdict.rule or None,
            "reason": reason,
            "ms": round(took_s * 1000),
        }
        log.warning("attempt failed", extra={"fields": fields})
        self._account.failed(verdict, reason, headers)
        return Failure(self._account, verdict, answer, reason)
