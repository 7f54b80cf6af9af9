"""The request as one upstream gets it, made anew from the client's original for every attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.exchange.inbound import COUNT_TOKENS, MESSAGES, Inbound
from relay.exchange.upstream import Upstream
from relay.keys.pool import Lease
from relay.messages import edit
from relay.routing.rename import renamed
from relay.upstream.headers import request_headers
from relay.wire import UpstreamRequest


@dataclass(frozen=True, slots=True)
class Credential:
    """What an attempt shows the upstream: a leased key of ours, or what the client brought."""

    lease: Lease | None
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether the upstream judges us, not the client, when it refuses it."""
        return self.lease is not None


@dataclass(frozen=True, slots=True)
class Outbound:
    """A finished request, and what was changed on the way."""

    request: UpstreamRequest
    model: str
    mutations: tuple[str, ...]
    """The edits of the body, in words (behaviour 4.6)."""


def outbound(inbound: Inbound, upstream: Upstream, credential: Credential, model: str) -> Outbound:
    """Speak the upstream's dialect. `model` is the name after `anthropic/` was read away (6.2).

    Raises: `relay.errors.InvalidRequest` for a header that cannot be sent.
    """
    provider = upstream.provider
    sent = renamed(model, upstream.config.model_mapping) if model else ""
    body, mutations = _renamed(inbound, sent)
    headers = request_headers(inbound.headers, messages=inbound.path in (MESSAGES, COUNT_TOKENS))
    if not inbound.names_itself:
        headers.pop("x-request-id", None)
    headers.update(credential.own)
    if upstream.basic and "authorization" not in headers:
        headers["authorization"] = upstream.basic.reveal()
    request = UpstreamRequest(
        method=inbound.method,
        url=provider.url(upstream.base_url, inbound.path, inbound.query),
        headers=provider.headers(headers),
        body=provider.body(body),
        timeouts=upstream.timeouts,
    )
    if credential.lease is not None:
        request = provider.authorize(request, credential.lease.key.key)
    return Outbound(request, sent, mutations)


def _renamed(inbound: Inbound, sent: str) -> tuple[bytes, tuple[str, ...]]:
    span = inbound.members.span("model") if inbound.members else None
    if span is None or not sent or sent == inbound.model:
        return inbound.body, ()
    renamed_body = edit.replace(inbound.body, span, edit.string_json(sent))
    return renamed_body, (f"model: {inbound.model} → {sent}",)
