"""One try with one upstream and one credential: send, judge, and either commit or fail.

    outbound ► http.begin ► head ──► 2xx ► gate ──► Reply (committed; the body owns everything)
                             │            └──────► Failure
                             ├── other status ───► Reply (nobody else is asked) or Failure
                             └── silent stream ──► Reply, committed before the answer (8.4)

What a failure means for the key, and whether somebody else is asked, is `breaker.classify`'s.
"""

import logging
from collections.abc import Sequence
from typing import Final

from relay.breaker import classify
from relay.breaker.classify import Next, Verdict
from relay.errors import InvalidRequest, UpstreamError
from relay.exchange import count_tokens
from relay.exchange.answer import Answer, keep
from relay.exchange.committed import Committing
from relay.exchange.exchange import Exchange
from relay.exchange.failure import Failure
from relay.exchange.inbound import COUNT_TOKENS, MESSAGES
from relay.exchange.key_judge import KeyJudge
from relay.exchange.late import LateResponse
from relay.exchange.outbound import Credential, outbound
from relay.exchange.reply import Reply
from relay.exchange.upstream import Upstream
from relay.stream.body import ReadsBytes
from relay.stream.gate import Committed, Refused
from relay.upstream.call import Call
from relay.wire import UpstreamResponse

log = logging.getLogger("relay.exchange")

_OK: Final = range(200, 300)


class Attempt:
    """One try. `run` is called once."""

    def __init__(self, exchange: Exchange, upstream: Upstream, credential: Credential) -> None:
        self._exchange = exchange
        self._upstream = upstream
        self._credential = credential
        self._means = exchange.means
        self._lease = lease = credential.lease
        self._key = None if lease is None else KeyJudge(exchange.means, upstream, lease)
        self._began = exchange.means.lasting.clock.monotonic()

    def run(self) -> Reply | Failure:
        """Send and judge. The lease is given back by the failure, or by the body's end."""
        try:
            outcome = self._send()
        except BaseException:  # the client left: give back, then let it pass
            self._release()
            raise
        if isinstance(outcome, Failure):
            self._release()
        return outcome

    def _send(self) -> Reply | Failure:
        exchange = self._exchange
        out = outbound(exchange.inbound, self._upstream, self._credential, exchange.model)
        key = self._lease.id if self._lease else ""
        exchange.settlement.attempted(self._upstream.name, key, out.model, out.mutations)
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
        admitted = self._means.gate.admit(response, sent_at=call.sent_at)
        if isinstance(admitted, Committed):
            return self._commit(response).answered(response, admitted)
        return self._unusable(admitted)

    def _unanswered(self, call: Call) -> Reply:
        late = LateResponse(
            call,
            self._means.lasting.clock,
            ours=self._credential.is_ours,
            on_answer=self._see_late,
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
        if self._key is not None:
            self._key.learn(response.headers)
            if response.status in _OK:
                self._key.worked()

    def _see_late(self, response: UpstreamResponse) -> None:
        self._see(response)
        if self._key is not None:
            verdict = classify.of_status(response.status, ours=True)
            self._key.failed(verdict.key, response.headers)

    def _commit(self, source: ReadsBytes) -> Committing:
        return Committing(self._exchange, self._upstream, self._credential, source)

    def _refused(self, response: UpstreamResponse) -> Reply | Failure:
        status = response.status
        if self._exchange.inbound.path == COUNT_TOKENS and status in count_tokens.UNKNOWN_HERE:
            response.close()
            count_tokens.remember(self._means.lasting, self._upstream)
            self._release()
            return count_tokens.estimated(self._exchange.inbound)
        verdict = classify.of_status(status, ours=self._credential.is_ours)
        if verdict.next is Next.NONE:
            return self._commit(response).passed(response)
        answer = keep(response, self._means.lasting.clock)
        return self._failure(verdict, f"answered {status}", answer, response.headers)

    def _failed(self, error: UpstreamError) -> Failure:
        verdict = classify.of_error(
            error, retry_ambiguous=self._means.config.routing.retry_ambiguous
        )
        return self._failure(verdict, str(error))

    def _unusable(self, refused: Refused) -> Failure:
        if refused.kind != "error_event":
            reason = f"unusable answer: {refused.message}"
            return self._failure(classify.of_unusable(), reason)
        verdict = classify.of_error_event(refused.error_type, ours=self._credential.is_ours)
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
        took_s = self._means.lasting.clock.monotonic() - self._began
        fields = {
            "provider": self._upstream.name,
            "key": self._lease.id if self._lease else None,
            "outcome": verdict.scope.name.lower(),
            "reason": reason,
            "ms": round(took_s * 1000),
        }
        log.warning("attempt failed", extra={"fields": fields})
        if self._key is not None:
            self._key.failed(verdict.key, headers)
        return Failure(self._upstream, self._credential, verdict, answer, reason)

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.release()
