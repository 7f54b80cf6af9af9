"""Judging: what an answer means, by the operator's rules and then by the table (behaviour 8.2)."""

from collections.abc import Sequence
from typing import Final

from relay.breaker import classify
from relay.breaker.classify import Next, Verdict
from relay.exchange.account import Account
from relay.exchange.answer import Answer
from relay.exchange.means import Means
from relay.messages.events import ErrorReport, error_report

_LIMITED: Final = 429
_SAYS_NOTHING: Final = ErrorReport("", "")


class Judging:
    """Of one attempt's answer."""

    def __init__(self, means: Means, account: Account) -> None:
        self._rules = means.rules
        self._account = account
        self._ours = account.credential.is_ours

    def needs_body(self, status: int) -> bool:
        """Whether the answer must be kept to be judged; else it is the client's as it comes."""
        return not self.is_theirs(status) or bool(self._rules.rules)

    def is_theirs(self, status: int) -> bool:
        """Whether the table makes it the client's answer."""
        return classify.of_status(status, ours=self._ours).next is Next.NONE

    def answer(
        self, status: int, headers: Sequence[tuple[str, str]], answer: Answer | None
    ) -> Verdict:
        """A status that is no success; `answer` is None where it could not be read."""
        report = (error_report(answer.body) if answer else None) or _SAYS_NOTHING
        ruled = self._ruled(status, report)
        if ruled is not None:
            return ruled
        resets_in_s = self._account.rests_s(headers) if status == _LIMITED else None
        return classify.of_status(
            status, ours=self._ours, headers=headers, error=report, resets_in_s=resets_in_s
        )

    def event(self, error_type: str, message: str) -> Verdict:
        """An `error` event that came before any content."""
        ruled = self.ruled(error_type, message)
        return ruled or classify.of_error_event(error_type, ours=self._ours, message=message)

    def ruled(self, error_type: str, message: str) -> Verdict | None:
        """What the operator says of an error that came with a status of success."""
        report = ErrorReport(error_type, message)
        return self._ruled(classify.status_of_event(error_type), report)

    def _ruled(self, status: int, report: ErrorReport) -> Verdict | None:
        name = self._account.upstream.name
        return self._rules.of(status, report.type, report.message, name, ours=self._ours)
