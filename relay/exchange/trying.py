"""Trying: one minimal request with one key, to see whether it works.

It is asked for by a person, so a key that rests or is set aside is tried, too. What it costs of the
key's minute is counted where there is room. A key that answers is no longer set aside (behaviour
9.6); its rest stays, and neither breaker nor route hears of any of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import gevent

from relay.config.types import TYPES
from relay.errors import RelayError, UpstreamError, UpstreamSilent
from relay.exchange import inbound
from relay.exchange.answer import begin
from relay.exchange.inbound import MESSAGES
from relay.exchange.means import Means
from relay.exchange.outbound import Credential, outbound
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.lease import Lease
from relay.keys.member import Member, members
from relay.limits.kinds import NOTHING, Amounts
from relay.messages.events import error_report
from relay.stream.gate import Refused
from relay.upstream.call import Call
from relay.wire import UpstreamRequest

LIMIT_S: Final = 30.0
"""For everything together: name, connection, request, answer."""

_OK: Final = range(200, 300)
_UNPROVEN: Final = (401, 403)
# A greeting is a dozen tokens in any dialect.
_AMOUNTS: Final = Amounts.of(12, 1)
_SHOWN_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Tried:
    """How it ended."""

    model: str
    """The name that was sent; empty: there was none to ask for."""
    status: int | None
    """None: no answer came."""
    took_s: float
    reason: str
    """Why not; empty: it works. Without secrets."""
    is_restored: bool = False
    """The key had been set aside, and is no longer."""


def credentials(upstream: Upstream) -> Sequence[Member | None]:
    """Its keys that are in use; None stands for a request without one."""
    if upstream.config.auth == "passthrough":
        return [None]
    return members(upstream.config) or [None]


def says_nothing(upstream: Upstream, member: Member | None, tried: Tried) -> bool:
    """Refused for want of a credential that only clients bring: the provider is there."""
    return member is None and not upstream.basic and tried.status in _UNPROVEN


def tried(
    means: Means, upstream: Upstream, member: Member | None, limit_s: float = LIMIT_S
) -> Tried:
    """Ask, and judge the answer as that of any request would be; all of it within `limit_s`."""
    model = _model(upstream)
    if not model:
        return Tried("", None, 0.0, "no model to ask for: list one in its models")
    lease = _leased(means, upstream, member) if member else None
    clock = means.lasting.clock
    began, used = clock.monotonic(), NOTHING
    status, reason, sent = None, f"no answer within {limit_s:g} s", model
    limit = gevent.Timeout(limit_s)
    try:
        with limit:
            out = outbound(_greeting(model), upstream, Credential(lease), model)
            sent, used = out.model, _AMOUNTS
            status, reason = _asked(means, upstream, out.request)
    except gevent.Timeout as over:
        if over is not limit:
            raise
    except (UpstreamError, RelayError, ValueError) as error:  # ValueError: it cannot be written
        used = _AMOUNTS if getattr(error, "sent", False) else NOTHING
        reason = str(error)
    finally:
        if lease:
            lease.settle(used)
    took_s = clock.monotonic() - began
    reason = means.inspection.redactor.text(reason)[:_SHOWN_CHARS]  # cut last: no half secrets
    return Tried(sent, status, took_s, reason, not reason and _restored(means, upstream, member))


def _model(upstream: Upstream) -> str:
    listed = upstream.config.models or TYPES[upstream.config.type].models
    return listed[0] if listed else ""


def _leased(means: Means, upstream: Upstream, member: Member) -> Lease:
    """The key itself, whatever is known of it."""
    others = {each.position for each in members(upstream.config)} - {member.position}
    keys = Standing(means).keys(upstream)
    lease = upstream.pool.lease(keys, _AMOUNTS, exclude=others, last_resort=True)
    return lease if isinstance(lease, Lease) else Lease(means.lasting.store, member, upstream.name)


def _greeting(model: str) -> inbound.Inbound:
    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    return inbound.read(
        method="POST",
        path=MESSAGES,
        query="",
        headers={"user-agent": "cc-relay", "accept": "application/json"},
        body=json.dumps(body).encode(),
        request_id="",
        names_itself=False,
    )


def _asked(means: Means, upstream: Upstream, request: UpstreamRequest) -> tuple[int, str]:
    """The status, and what is wrong. Raises: `UpstreamError`; `ValueError`."""
    call = upstream.http.begin(request)
    try:
        return _answered(means, call)
    finally:
        call.close()


def _answered(means: Means, call: Call) -> tuple[int, str]:
    response = call.head()
    if response is None:  # only where a time was given
        raise UpstreamSilent("no answer")
    if response.status in _OK:
        admitted = means.gate.admit(response, sent_at=call.sent_at)
        reason = ""
        if isinstance(admitted, Refused):
            words = (admitted.error_type, admitted.message)
            reason = f"unusable answer: {': '.join(filter(None, words))}"
        return response.status, reason
    body, _ = begin(response, means.lasting.clock)
    report = error_report(body)
    said = report.message if report else body.decode("utf-8", "replace")
    kind = f" {report.type}" if report and report.type else ""
    return response.status, f"{response.status}{kind}: {said or 'nothing more was said'}"


def _restored(means: Means, upstream: Upstream, member: Member | None) -> bool:
    keys = Standing(means).keys(upstream)
    return member is not None and upstream.pool.restore(member.position, keys)
